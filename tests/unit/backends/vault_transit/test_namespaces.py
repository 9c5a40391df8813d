"""Keys in a namespace, by every way to log in there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.errors import UnknownKey
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault


@pytest.fixture(scope="module")
def inner(openbao: OpenBao) -> OpenBao:
    """The shared server, in the namespace ``team/east``."""
    openbao.api("POST", "sys/namespaces/team")
    openbao.within("team").api("POST", "sys/namespaces/east")
    inner = openbao.within("team/east")
    inner.api("POST", "sys/mounts/transit", {"type": "transit"})
    inner.api("POST", "sys/auth/approle", {"type": "approle"})
    return inner


@pytest.fixture
def inside(inner: OpenBao, tmp_path: Path) -> Iterator[Vault]:
    """A key in the namespace."""
    vault = Vault(inner, tmp_path)
    yield vault
    vault.close()


def test_a_key_in_a_namespace_serves_its_app_role(inside: Vault) -> None:
    provider = inside.provider(f"{inside.app_role()}&namespace=team/east")
    key, wrapped = provider.generate(CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_key_in_a_namespace_serves_a_token_from_there(inside: Vault) -> None:
    token = inside.secret("token", inside.server.token(inside.key))
    provider = inside.provider(f"token_file={token}&namespace=team/east")
    assert provider.status().key_ref == (f"{inside.server.host}/team/east/transit/{inside.key}:v1")


def test_a_key_of_the_same_name_outside_is_another(inside: Vault, openbao: OpenBao) -> None:
    root = inside.secret("root", openbao.root_token)
    _, wrapped = inside.provider(f"token_file={root}&namespace=team/east").generate(CONTEXT)
    openbao.api("POST", f"transit/keys/{inside.key}", {"derived": True})
    outside = inside.provider(f"token_file={root}")
    with pytest.raises(UnknownKey):
        outside.unwrap(wrapped, CONTEXT)


def test_a_namespace_that_is_not_there_shows_in_the_status(vault: Vault, openbao: OpenBao) -> None:
    root = vault.secret("root", openbao.root_token)
    assert not vault.provider(f"token_file={root}&namespace=nowhere").status().healthy
