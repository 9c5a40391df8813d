"""A key of the shared server, a provider on it, and what goes over the wire."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from backends.calls.bounded_http import BoundedHttp, Response
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import FaultyProxy
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import Vault


@pytest.fixture
def vault(openbao: OpenBao, tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(openbao, tmp_path)
    yield vault
    vault.close()


@pytest.fixture
def provider(vault: Vault) -> VaultTransit:
    return vault.provider()


@pytest.fixture
def proxy(openbao: OpenBao) -> Iterator[FaultyProxy]:
    """Between a provider and the shared server."""
    proxy = FaultyProxy(openbao.host)
    yield proxy
    proxy.close()


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Method and path of every request that is made, in order."""
    requests: list[str] = []
    exchange = BoundedHttp.exchange

    def spy(self: BoundedHttp, method: str, url: str, *rest: Any) -> Response:
        requests.append(f"{method} /{url.split('/', 3)[3]}")
        return exchange(self, method, url, *rest)

    with patch.object(BoundedHttp, "exchange", spy):
        yield requests
