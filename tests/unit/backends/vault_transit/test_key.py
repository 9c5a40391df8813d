"""The key must be there, derived and able to encrypt; no call ever makes one."""

import pytest

from backends.errors import KeyDisabled, KeyProviderConfigError, UnknownKey
from backends.vault_transit.provider import VaultTransit
from tests.support.openbao import OpenBao, least_privilege
from tests.unit.backends.vault_transit.vault import CALLS, CONTEXT, SETTING, Call, Vault

every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def replaced(vault: Vault, **options: object) -> VaultTransit:
    """A provider of the key, which has become one with these options."""
    vault.delete_key()
    vault.server.api("POST", f"transit/keys/{vault.key}", options)
    return vault.provider()


@every_call
def test_a_key_that_is_not_derived_is_refused(vault: Vault, call: Call) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    provider = replaced(vault, derived=False)
    with pytest.raises(KeyProviderConfigError, match=r"^STRONGROOM_KEYS .* derived=true"):
        call(provider, key, wrapped)


@every_call
def test_a_key_that_only_signs_is_refused(vault: Vault, call: Call) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    provider = replaced(vault, derived=True, type="ed25519")
    with pytest.raises(KeyProviderConfigError, match="a type that encrypts"):
        call(provider, key, wrapped)


@pytest.mark.parametrize("options", [{"derived": False}, {"derived": True, "type": "ed25519"}])
def test_an_unfit_key_shows_in_the_status(vault: Vault, options: dict[str, object]) -> None:
    status = replaced(vault, **options).status()
    assert (status.healthy, status.key_ref) == (False, None)
    assert "derived=true" in status.detail


@every_call
def test_a_missing_key_is_not_made_by_a_token_that_could(
    vault: Vault, openbao: OpenBao, call: Call
) -> None:
    key, wrapped = vault.provider().generate(CONTEXT)
    vault.delete_key()
    provider = vault.provider(f"token_file={vault.secret('root', openbao.root_token)}")
    with pytest.raises(UnknownKey):
        call(provider, key, wrapped)
    assert vault.key not in openbao.api("LIST", "transit/keys")["data"]["keys"]


@every_call
def test_a_key_deleted_while_serving_is_unknown(vault: Vault, call: Call) -> None:
    provider = vault.provider()
    key, wrapped = provider.generate(CONTEXT)
    vault.delete_key()
    with pytest.raises(UnknownKey):
        call(provider, key, wrapped)


def test_a_missing_engine_is_said_to_be_missing(vault: Vault, openbao: OpenBao) -> None:
    token = vault.secret("root", openbao.root_token)
    vault.mount = "nowhere/at/all"
    assert "mount" in vault.provider(f"token_file={token}").status().detail


def test_the_status_says_which_entry_is_in_trouble_once(vault: Vault) -> None:
    denied, unfit = vault.provider(), replaced(vault, derived=False)
    vault.server.forbid(vault.key)
    details = [denied.status().detail]
    vault.server.allow(vault.key, least_privilege("transit", vault.key))
    details.append(unfit.status().detail)
    assert [each.count(f"{SETTING}: ") for each in details] == [1, 1]


def test_the_key_is_looked_at_once_for_many_calls(
    vault: Vault, provider: VaultTransit, asked: list[str]
) -> None:
    for _ in range(3):
        provider.generate(CONTEXT)
    assert asked.count(f"GET /v1/transit/keys/{vault.key}") == 1


@pytest.mark.parametrize("call", ["unwrap", "rewrap"])
def test_a_version_below_the_minimum_is_switched_off_and_not_tampered(
    vault: Vault, provider: VaultTransit, call: str
) -> None:
    key, wrapped = provider.generate(CONTEXT)
    vault.rotate()
    vault.change_key(min_decryption_version=2)
    with pytest.raises(KeyDisabled, match="min_decryption_version"):
        CALLS[call](provider, key, wrapped)


def test_a_version_that_is_allowed_again_opens_again(vault: Vault, provider: VaultTransit) -> None:
    key, wrapped = provider.generate(CONTEXT)
    vault.rotate()
    vault.change_key(min_decryption_version=2)
    vault.change_key(min_decryption_version=1)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_key_in_an_engine_of_several_segments_serves(vault: Vault, openbao: OpenBao) -> None:
    mount = f"teams/east/{vault.key}"
    openbao.api("POST", f"sys/mounts/{mount}", {"type": "transit"})
    openbao.api("POST", f"{mount}/keys/{vault.key}", {"derived": True})
    vault.mount = mount
    provider = vault.provider(f"token_file={vault.secret('root', openbao.root_token)}")
    key, wrapped = provider.generate(CONTEXT)
    assert (provider.unwrap(wrapped, CONTEXT), wrapped.key_ref) == (
        key,
        f"{openbao.host}/{mount}/{vault.key}:v1",
    )


def test_a_version_that_vault_lost_is_unknown_so_that_others_are_tried(
    vault: Vault, provider: VaultTransit
) -> None:
    vault.rotate()
    _, wrapped = provider.generate(CONTEXT)
    before = replaced(vault, derived=True)  # as when Vault is restored from an old snapshot
    with pytest.raises(UnknownKey):
        before.unwrap(wrapped, CONTEXT)


def test_two_vaults_with_one_mount_and_key_name_are_told_apart(vault: Vault) -> None:
    token = f"token_file={vault.secret('token', vault.server.token(vault.key))}"
    east, west = vault.provider(f"{token}&id=east"), vault.provider(f"{token}&id=west")
    _, wrapped = east.generate(CONTEXT)
    assert (east.owns(wrapped.key_ref), west.owns(wrapped.key_ref)) == (True, False)


def test_a_wrapping_follows_its_vault_to_another_address(vault: Vault) -> None:
    token = f"token_file={vault.secret('token', vault.server.token(vault.key))}"
    key, wrapped = vault.provider(f"{token}&id=east").generate(CONTEXT)
    moved = vault.provider(
        f"{token}&id=east", host=vault.server.host.replace("127.0.0.1", "localhost")
    )
    assert moved.unwrap(wrapped, CONTEXT) == key
