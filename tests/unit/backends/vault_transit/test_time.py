"""Every call ends in time, whatever the other side does."""

from time import monotonic
from unittest.mock import patch

import pytest

from backends.calls.request_deadline import request_deadline
from backends.errors import KeyUnavailable
from backends.keyring import bounded_provider
from backends.vault_transit import connection
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import Fault, FaultyProxy, answer, drip, hang
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

LIMIT = 3.0
SHORT = 0.5  # in place of the seconds of a call, so that a busy machine is not over the limit
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


def seconds_of_short(provider: VaultTransit) -> float:
    """The same for a call that has less time."""
    with patch.object(connection, "CALL_SECONDS", SHORT):
        return seconds_of(provider)


def test_a_call_ends_before_the_keyring_gives_it_up() -> None:
    assert connection.CALL_SECONDS < bounded_provider.CALL_SECONDS == LIMIT


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("knows_its_token", [False, True])
def test_a_call_ends_within_its_limit(
    vault: Vault, proxy: FaultyProxy, fault: Fault, knows_its_token: bool
) -> None:
    provider = vault.provider(host=proxy.host)
    if knows_its_token:
        assert provider.status().healthy
    with proxy.failing(fault):
        assert seconds_of_short(provider) < LIMIT


def test_a_host_that_swallows_packets_is_given_up_in_time(vault: Vault) -> None:
    provider = vault.provider(host="192.0.2.1:8200", scheme="https")  # RFC 5737: nobody's address
    assert seconds_of_short(provider) < LIMIT


def test_a_host_that_does_not_exist_is_an_outage(vault: Vault) -> None:
    provider = vault.provider(host="vault.invalid:8200", scheme="https")  # RFC 2606: never exists
    assert seconds_of_short(provider) < LIMIT


def test_a_call_ends_with_the_request_that_it_is_for(vault: Vault, proxy: FaultyProxy) -> None:
    provider = vault.provider(host=proxy.host)
    with proxy.failing(hang), request_deadline(0.2):
        assert seconds_of(provider) < connection.CALL_SECONDS - 0.2
