"""Every call ends in time, whatever the other side does."""

from time import monotonic

import pytest

from backends.calls.request_deadline import request_deadline
from backends.errors import KeyUnavailable
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import Fault, FaultyProxy, answer, drip, hang
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

LIMIT = 3.0
SLOW = {
    "hanging": hang,
    "dripping": drip(0.02),
    "failing again and again": answer(503, {"errors": ["sealed"]}),
}


def seconds_of(provider: VaultTransit) -> float:
    """The seconds that a call takes to fail."""
    start = monotonic()
    with pytest.raises(KeyUnavailable):
        provider.generate(CONTEXT)
    return monotonic() - start


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("knows_its_token", [False, True])
def test_a_call_ends_within_its_limit(
    vault: Vault, proxy: FaultyProxy, fault: Fault, knows_its_token: bool
) -> None:
    provider = vault.provider(host=proxy.host)
    if knows_its_token:
        assert provider.status().healthy
    with proxy.failing(fault):
        assert seconds_of(provider) < LIMIT


def test_a_host_that_swallows_packets_is_given_up_in_time(vault: Vault) -> None:
    provider = vault.provider(host="192.0.2.1:8200", scheme="https")  # RFC 5737: nobody's address
    assert seconds_of(provider) < LIMIT


def test_a_host_that_does_not_exist_is_an_outage(vault: Vault) -> None:
    provider = vault.provider(host="vault.invalid:8200", scheme="https")  # RFC 2606: never exists
    assert seconds_of(provider) < LIMIT


def test_a_call_ends_with_the_request_that_it_is_for(vault: Vault, proxy: FaultyProxy) -> None:
    provider = vault.provider(host=proxy.host)
    with proxy.failing(hang), request_deadline(0.2):
        assert seconds_of(provider) < 1
