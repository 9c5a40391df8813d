"""Logins that are mounted elsewhere, that need no secret id, or that take long."""

import uuid

import pytest

from backends.calls.request_deadline import request_deadline
from backends.errors import KeyAccessDenied, KeyUnavailable
from backends.keyring.bounded_provider import CALL_SECONDS, BoundedProvider
from tests.support.faulty_proxy import FaultyProxy, Link, hang, relay
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault


@pytest.fixture
def mount(openbao: OpenBao) -> str:
    """An AppRole engine that is not where it usually is."""
    mount = f"teams/{uuid.uuid4().hex}"
    openbao.api("POST", f"sys/auth/{mount}", {"type": "approle"})
    return mount


def test_an_app_role_logs_in_at_another_mount(vault: Vault, mount: str) -> None:
    provider = vault.provider(f"{vault.app_role(auth_mount=mount)}&auth_mount={mount}")
    key, wrapped = provider.generate(CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == key


@pytest.mark.usefixtures("app_roles")
def test_a_login_at_the_wrong_mount_names_the_options(vault: Vault, mount: str) -> None:
    provider = vault.provider(vault.app_role(auth_mount=mount))
    with pytest.raises(KeyAccessDenied, match="role_id_file, secret_id_file and auth_mount"):
        provider.generate(CONTEXT)


def test_an_app_role_without_a_secret_id_logs_in_by_its_role_id(vault: Vault, mount: str) -> None:
    role = f"auth/{mount}/role/{vault.key}"
    loopback = ["127.0.0.1/32", "::1/128"]  # Vault wants one bound, where it is not the secret id
    options = {"bind_secret_id": False, "token_bound_cidrs": loopback}
    vault.server.api("POST", role, {"token_policies": [vault.key], **options})
    role_id = vault.server.api("GET", f"{role}/role-id")["data"]["role_id"]
    file = vault.secret("role-id", role_id)
    provider = vault.provider(f"role_id_file={file}&auth_mount={mount}")
    key, wrapped = provider.generate(CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_login_that_takes_longer_than_a_call_goes_on_without_it(
    vault: Vault, proxy: FaultyProxy, mount: str
) -> None:
    login = f"{vault.app_role(auth_mount=mount)}&auth_mount={mount}"
    provider = vault.provider(login, host=proxy.host)
    with (
        proxy.failing(hang),
        request_deadline(0.2),
        pytest.raises(KeyUnavailable, match="goes on"),
    ):
        provider.generate(CONTEXT)
    provider.prepare(20)
    with request_deadline(0.5):
        provider.generate(CONTEXT)


def late(link: Link) -> None:
    """Answer after more than a call may take."""
    link.over.wait(CALL_SECONDS + 0.5)
    relay(link)


def test_what_is_no_request_waits_for_a_slow_login(
    vault: Vault, proxy: FaultyProxy, mount: str
) -> None:
    login = f"{vault.app_role(auth_mount=mount)}&auth_mount={mount}"
    provider = vault.provider(login, host=proxy.host)
    with proxy.failing(late, times=1):
        BoundedProvider(provider, concurrency=4).generate(CONTEXT)
