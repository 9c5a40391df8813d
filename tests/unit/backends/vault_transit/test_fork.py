"""A child of a process that used a provider has a token and connections of its own."""

import os
import signal
from collections.abc import Callable

import pytest

from backends.vault_transit.provider import VaultTransit
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

DEADLINE = 20  # seconds


def start_child(check: Callable[[], bool]) -> int:
    """Fork a child that exits with 0 if ``check`` holds within the deadline."""
    child = os.fork()
    if child == 0:
        signal.alarm(DEADLINE)
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return child


def succeeded(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def provider(vault: Vault, app_roles: OpenBao) -> VaultTransit:  # they can log in
    provider = vault.provider(vault.app_role(token_ttl="60s"))
    assert provider.status().healthy
    return provider


def test_parent_and_child_use_a_provider_at_once(provider: VaultTransit) -> None:
    key, wrapped = provider.generate(CONTEXT)

    def serves() -> bool:
        return all(provider.unwrap(wrapped, CONTEXT) == key for _ in range(50))

    child = start_child(serves)
    assert serves()
    assert succeeded(child)


def test_a_child_logs_in_by_itself(provider: VaultTransit, asked: list[str]) -> None:
    def logs_in() -> bool:
        asked.clear()
        return provider.status().healthy and asked[0] == "POST /v1/auth/approle/login"

    assert succeeded(start_child(logs_in))


def test_a_child_does_not_wait_for_a_login_of_its_parent(provider: VaultTransit) -> None:
    with provider._vault.get()._keeper._lock:
        assert succeeded(start_child(lambda: provider.status().healthy))


def test_a_child_that_ends_leaves_the_parents_connections_alone(
    provider: VaultTransit, asked: list[str]
) -> None:
    def closes() -> bool:
        provider.close()
        return True

    assert succeeded(start_child(closes))
    asked.clear()
    assert provider.status().healthy
    assert len(asked) == 1
