"""A server whose only key provider can be cut off."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bootstrap import build
from app.domain.access.api_keys import Caller
from app.domain.access.scopes import ALL_SCOPES
from app.domain.secrets import SecretValue
from app.services.container import Services
from config import load
from tests.support.faulty_proxy import FaultyProxy
from tests.support.labels import new_label
from tests.support.openbao import OpenBao, openbao_server
from tests.support.strongroom import Strongroom, running


@dataclass(frozen=True, slots=True)
class VaultServer:
    """A server that logs all it can, and what its data keys depend on.

    Attributes:
        operator: The services on the same database, outside the server's processes: data keys
            that they make are in no cache of the server.
        link: Between the server and its key provider.
        temporary: Its directory for temporary files.
    """

    server: Strongroom
    operator: Services
    bao: OpenBao
    link: FaultyProxy
    temporary: Path

    def new_caller(self, value: str = "a value") -> Caller:
        """Of a new account that keeps the secret KEPT, under a data key unknown to the server."""
        account = self.operator.accounts.create(new_label("an account"))
        key = self.operator.api_keys.issue(account.id, name="a key")
        caller = Caller(account.id, key.id, ALL_SCOPES, None)
        self.operator.secrets.create(caller, "KEPT", SecretValue(value), None)
        return caller

    def inject(self, caller: Caller) -> str:
        """A token for the secret KEPT."""
        issued = self.operator.injections.create(caller, {"KEPT": "KEPT"}, 300, None)
        return issued.token.reveal()


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    directory = tmp_path_factory.mktemp("provider")
    temporary = directory / "temporary"
    temporary.mkdir()
    with (
        openbao_server(directory) as bao,
        closing(FaultyProxy(bao.host)) as link,
        running(directory, _settings(directory, bao, link, temporary)) as server,
        closing(build(load(server.environment))) as operator,
    ):
        yield VaultServer(server, operator, bao, link, temporary)


def _settings(directory: Path, bao: OpenBao, link: FaultyProxy, temporary: Path) -> dict[str, str]:
    key = bao.make_key()
    token = directory / "vault-token"
    token.write_text(bao.token(key))
    token.chmod(0o600)
    return {
        "STRONGROOM_KEYS": f"vault-transit:http://{link.host}/transit/{key}?token_file={token}",
        "STRONGROOM_LOG_LEVEL": "DEBUG",
        "STRONGROOM_WORKERS": "1",  # so that a test knows which keys the server holds
        "TMPDIR": str(temporary),
    }
