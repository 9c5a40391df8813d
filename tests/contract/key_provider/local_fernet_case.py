"""The case of ``local-fernet``: a key file in the test's own directory."""

from os import mkfifo
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.fernet import Fernet

from backends.provider_uri import ProviderSpec, parse_spec
from config.files import Files
from tests.contract.key_provider.case import ProviderCase


class LocalFernetCase(ProviderCase):
    """Key files; keys that are read once and held in memory cannot fail while serving."""

    rotates_in_place: ClassVar[bool] = False
    misconfigurations: ClassVar[tuple[str, ...]] = (
        "missing file",
        "directory",
        "named pipe",
        "readable by others",
        "empty",
        "not a key",
        "too large",
        "unknown option",
    )

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self._directory: Path = request.getfixturevalue("tmp_path")
        self._write("keys", Fernet.generate_key())
        self._write("unrelated", Fernet.generate_key())

    def spec(self) -> ProviderSpec:
        return self._spec("keys")

    def unrelated_spec(self) -> ProviderSpec:
        return self._spec("unrelated")

    def rotate(self) -> None:
        self._write("keys", Fernet.generate_key(), *self._lines())

    def forget_rotated(self) -> None:
        self._write("keys", self._lines()[0])

    def misconfigured(self, name: str) -> ProviderSpec:
        path = self._directory / "bad"
        if name == "directory":
            path.mkdir()
        elif name == "named pipe":
            mkfifo(path, 0o600)
        elif name == "readable by others":
            self._write("bad", Fernet.generate_key()).chmod(0o640)
        elif name == "empty":
            self._write("bad")
        elif name == "not a key":
            self._write("bad", Fernet.generate_key(), b"correct horse battery staple")
        elif name == "too large":
            self._write("bad", *[Fernet.generate_key()] * 2000)
        elif name == "unknown option":
            return self._spec("keys?ttl=60")
        return self._spec("bad")

    def _spec(self, name: str) -> ProviderSpec:
        uri = f"local-fernet:{self._directory / name}"
        return parse_spec(uri, setting="STRONGROOM_KEYS[1]", concurrency=4, files=Files())

    def _lines(self) -> list[bytes]:
        return (self._directory / "keys").read_bytes().split()

    def _write(self, name: str, *keys: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(b"".join(key + b"\n" for key in keys))
        path.chmod(0o600)
        return path
