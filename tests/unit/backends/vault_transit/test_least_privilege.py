"""The policy of the documentation suffices, and each line of it is needed."""

import pytest

from backends.errors import KeyAccessDenied
from backends.vault_transit.provider import VaultTransit
from tests.support.openbao import least_privilege
from tests.unit.backends.vault_transit.vault import CALLS, CONTEXT, Vault

NEEDED_FOR = {
    "generate": "datakey/plaintext",
    "wrap": "encrypt",
    "unwrap": "decrypt",
    "rewrap": "rewrap",
}


def allowed_all_but(vault: Vault, what: str) -> VaultTransit:
    """A provider whose token lacks one permission."""
    paths = least_privilege("transit", vault.key)
    del paths[f"transit/{what}/{vault.key}"]
    vault.server.allow(vault.key, paths)
    return vault.provider()


@pytest.mark.parametrize(("call", "permission"), NEEDED_FOR.items())
def test_a_missing_permission_is_access_denied(vault: Vault, call: str, permission: str) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    provider = allowed_all_but(vault, permission)
    with pytest.raises(KeyAccessDenied, match=r"^Vault denies this call"):
        CALLS[call](provider, key, wrapped)


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_done_with_a_key_that_may_not_be_looked_at(vault: Vault, call: str) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    provider = allowed_all_but(vault, "keys")
    with pytest.raises(KeyAccessDenied):
        CALLS[call](provider, key, wrapped)


@pytest.mark.parametrize(("call", "permission"), NEEDED_FOR.items())
def test_a_missing_permission_stops_nothing_else(vault: Vault, call: str, permission: str) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    provider = allowed_all_but(vault, permission)
    others = [CALLS[other] for other in CALLS if other != call]
    assert all(other(provider, key, wrapped) for other in others)


def test_many_wrappings_are_denied_one_and_all(vault: Vault) -> None:
    _, wrapped = vault.provider().generate(CONTEXT)
    provider = allowed_all_but(vault, "rewrap")
    answers = provider.rewrap_many([(wrapped, CONTEXT)] * 2)
    assert [type(each) for each in answers] == [KeyAccessDenied] * 2


def test_a_token_that_may_not_ask_about_itself_is_refused(vault: Vault) -> None:
    token = vault.server.token(vault.key, no_default_policy=True)
    provider = vault.provider(f"token_file={vault.secret('bare', token)}")
    assert "Vault refuses the login" in provider.status().detail
