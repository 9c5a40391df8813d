"""Vault tokens that live for seconds cost no request."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.keys.tenants import astray, at_work, seed_in_bulk
from tests.support.openbao import OpenBao
from tests.support.strongroom import Strongroom, running
from tests.unit.backends.vault_transit.vault import Vault

pytestmark = pytest.mark.slow

WRITERS = 3


@pytest.fixture
def server(app_roles: OpenBao, tmp_path: Path) -> Iterator[Strongroom]:
    """It asks Vault for nearly every data key that it needs: it keeps one, for a second.

    Its tokens live for 5 seconds, and are renewed until they are 8 seconds old.
    """
    vault = Vault(app_roles, tmp_path / "vault")
    role = vault.app_role(token_ttl="5s", token_max_ttl="8s")
    settings = {
        "STRONGROOM_KEYS": vault.uri(role),
        "STRONGROOM_DATA_KEY_CACHE_SECONDS": "1",
        "STRONGROOM_DATA_KEY_CACHE_SIZE": "1",
    }
    with running(tmp_path, settings) as server:
        yield server


def test_tokens_of_five_seconds_fail_no_request_under_load(
    server: Strongroom, proving: bool
) -> None:
    tenants = seed_in_bulk(server.environment, WRITERS + 2, 12)
    deadline = time.monotonic() + (60 if proving else 12)
    with at_work(server.url, tenants[:WRITERS], max_retries=0) as writers:
        while time.monotonic() < deadline:
            assert astray(server.url, tenants[WRITERS:]) == []
    assert all(writer.calls > 10 for writer in writers)
    assert astray(server.url, tenants) == []
