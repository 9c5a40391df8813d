"""Root keys of each kind for real servers: how to list one, and how it is destroyed."""

import os
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path

from cryptography.fernet import Fernet

from tests.support.faulty_proxy import FaultyProxy, answer
from tests.support.kms import KmsServer
from tests.support.openbao import OpenBao


class Root(ABC):
    """One root key.

    Attributes:
        uri: Its entry in ``STRONGROOM_KEYS``.
    """

    uri: str

    @abstractmethod
    def destroy(self) -> None:
        """Destroy a root key that nothing depends on, as an operator does."""


class LocalRoot(Root):
    """A key file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        write_private(path, Fernet.generate_key().decode())
        self.uri = f"local-fernet:{path}"

    def destroy(self) -> None:
        self._path.unlink()


class KmsRoot(Root):
    """A KMS key, behind a proxy that refuses once it is destroyed: moto would go on serving it."""

    def __init__(self, server: KmsServer, proxy: FaultyProxy, until: ExitStack) -> None:
        self._server = server
        self._proxy = proxy
        self._until = until
        self._arn = server.create_key()
        self.uri = f"aws-kms:{self._arn}"

    def destroy(self) -> None:
        self._server.schedule_deletion(self._arn)
        refusing = answer(400, {"__type": "KMSInvalidStateException"})
        self._until.enter_context(self._proxy.failing(refusing))


class TransitRoot(Root):
    """A transit key, and a token with the least privilege."""

    def __init__(self, server: OpenBao, host: str, directory: Path, name: str = "") -> None:
        self._server = server
        self.name = server.make_key(name=name)
        self.token_file = directory / f"{self.name}-{host.replace(':', '-')}.token"
        write_private(self.token_file, server.token(self.name))
        login = f"token_file={self.token_file}"
        self.uri = f"vault-transit:http://{host}/transit/{self.name}?{login}"

    def destroy(self) -> None:
        path = f"transit/keys/{self.name}"
        self._server.api("POST", f"{path}/config", {"deletion_allowed": True})
        self._server.api("DELETE", path)


def settings(directory: Path) -> dict[str, str]:
    """The environment of a process whose keyring ``list_keys`` sets."""
    return {
        "STRONGROOM_KEYS_FILE": str(directory / "keyring"),
        "STRONGROOM_ESCROW_KEYS_FILE": str(directory / "escrow"),
    }


def list_keys(directory: Path, *uris: str, escrow: str = "") -> None:
    """Decide on the keyring of every process that starts from now on."""
    (directory / "keyring").write_text(" ".join(uris))
    (directory / "escrow").write_text(escrow)


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner alone."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
