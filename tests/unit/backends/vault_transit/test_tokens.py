"""A token that expires, is revoked or replaced costs no call."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from backends.errors import KeyAccessDenied, KeyProviderConfigError
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import FaultyProxy
from tests.support.openbao import OpenBao
from tests.support.waiting import wait_until
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

LOGIN = "POST /v1/auth/approle/login"
RENEWAL = "POST /v1/auth/token/renew-self"
LOOK_UP = "GET /v1/auth/token/lookup-self"


@pytest.fixture
def vault(vault: Vault, app_roles: OpenBao) -> Vault:  # AppRoles can log in
    return vault


def failures_under_load(provider: VaultTransit, seconds: float) -> list[BaseException | None]:
    """The errors of two threads that made and opened data keys."""
    deadline = monotonic() + seconds
    pause = threading.Event()

    def work() -> None:
        while monotonic() < deadline:
            key, wrapped = provider.generate(CONTEXT)
            assert provider.unwrap(wrapped, CONTEXT) == key
            pause.wait(0.005)

    with ThreadPoolExecutor(2) as pool:
        return [each.exception() for each in [pool.submit(work) for _ in range(2)]]


def test_tokens_of_five_seconds_fail_no_call_under_load(
    app_roles: OpenBao, tmp_path: Path, proving: bool
) -> None:
    kinds: dict[str, dict[str, str]] = {
        "renewed for ever": {"token_period": "5s"},
        "renewed up to an age": {"token_ttl": "5s", "token_max_ttl": "8s"},
        "not renewable": {"token_ttl": "5s", "token_type": "batch"},
    }
    with ExitStack() as stack, ThreadPoolExecutor(len(kinds)) as pool:
        loads = {}
        for kind, options in kinds.items():
            vault = Vault(app_roles, tmp_path / kind)
            stack.callback(vault.close)
            provider = vault.provider(vault.app_role(**options))
            loads[kind] = pool.submit(failures_under_load, provider, 60 if proving else 12)
        failures = {kind: load.result() for kind, load in loads.items()}
    assert failures == {kind: [None, None] for kind in kinds}


def test_threads_that_need_a_token_at_once_log_in_once(vault: Vault, asked: list[str]) -> None:
    provider = vault.provider(vault.app_role())
    barrier = threading.Barrier(8)

    def call(_: int) -> bool:
        barrier.wait()
        return provider.status().healthy

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(8)))
    assert asked.count(LOGIN) == 1


def test_an_idle_process_keeps_its_token(vault: Vault, asked: list[str]) -> None:
    token = vault.server.token(vault.key, period="2s")
    provider = vault.provider(f"token_file={vault.secret('token', token)}")
    assert provider.status().healthy
    wait_until(lambda: asked.count(RENEWAL) >= 3)
    assert provider.status().healthy


def test_a_token_that_expired_while_vault_was_away_is_replaced(
    vault: Vault, proxy: FaultyProxy
) -> None:
    provider = vault.provider(vault.app_role(token_ttl="1s"), host=proxy.host)
    before = tokens(vault)
    assert provider.status().healthy
    with proxy.refusing():
        wait_until(lambda: tokens(vault) <= before)
    assert provider.status().healthy


def tokens(vault: Vault) -> set[str]:
    """The accessors of the tokens that have not expired."""
    return set(vault.server.api("LIST", "auth/token/accessors")["data"]["keys"])


def test_a_revoked_token_is_replaced_within_the_call(vault: Vault, asked: list[str]) -> None:
    provider = vault.provider(vault.app_role())
    key, wrapped = provider.generate(CONTEXT)
    revoke_all(vault)
    asked.clear()
    assert provider.unwrap(wrapped, CONTEXT) == key
    assert asked.count(LOGIN) == 1


def revoke_all(vault: Vault) -> None:
    """Revoke every token that the AppRole gave."""
    vault.server.api("PUT", "sys/leases/revoke-force/auth/approle/login")


def test_a_token_file_is_read_again_when_its_token_is_refused(vault: Vault) -> None:
    provider = vault.provider()
    key, wrapped = provider.generate(CONTEXT)
    old, new = (vault.server.token(vault.key) for _ in range(2))
    token_file = vault.secret("token", old)
    provider = vault.provider(f"token_file={token_file}")
    assert provider.unwrap(wrapped, CONTEXT) == key
    vault.server.api("POST", "auth/token/revoke", {"token": old})
    vault.secret("token", new)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_new_secret_id_is_taken_at_the_next_login(vault: Vault) -> None:
    provider = vault.provider(vault.app_role(secret_id_num_uses=1))
    assert provider.status().healthy
    vault.new_secret_id()
    revoke_all(vault)
    assert provider.status().healthy


def test_a_used_up_secret_id_is_access_denied(vault: Vault) -> None:
    provider = vault.provider(vault.app_role(secret_id_num_uses=1))
    _, wrapped = provider.generate(CONTEXT)
    revoke_all(vault)
    with pytest.raises(KeyAccessDenied, match="Vault refuses the login"):
        provider.unwrap(wrapped, CONTEXT)


def test_a_credential_file_that_went_away_is_named(vault: Vault) -> None:
    provider = vault.provider()
    vault.secret("token", "s.one s.two")
    with pytest.raises(KeyProviderConfigError, match="token_file: the file must hold one"):
        provider.generate(CONTEXT)


def test_a_permission_that_is_missing_does_not_make_every_call_log_in(
    vault: Vault, asked: list[str]
) -> None:
    provider = vault.provider(vault.app_role())
    vault.server.forbid(vault.key)
    for _ in range(10):
        assert not provider.status().healthy
    assert asked.count(LOGIN) == 2


def renewers() -> set[threading.Thread]:
    """The threads that renew tokens."""
    return {each for each in threading.enumerate() if each.name == "vault-token"}


def test_a_token_that_lives_for_ever_needs_no_thread(vault: Vault, openbao: OpenBao) -> None:
    provider = vault.provider(f"token_file={vault.secret('root', openbao.root_token)}")
    before = renewers()
    assert provider.status().healthy
    assert renewers() <= before


def test_closing_ends_the_renewal(vault: Vault) -> None:
    before = renewers()
    provider = vault.provider(vault.app_role(token_ttl="60s"))
    assert provider.status().healthy
    (thread,) = renewers() - before
    provider.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_closed_provider_can_be_used_by_who_still_has_it(vault: Vault) -> None:
    provider = vault.provider()
    key, wrapped = provider.generate(CONTEXT)
    provider.close()
    assert provider.unwrap(wrapped, CONTEXT) == key
