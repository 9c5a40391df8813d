"""The case of ``recovery``: public key files; the private halves stay with the case."""

from pathlib import Path
from typing import ClassVar

import pytest

from backends.provider_uri import ProviderSpec, parse_spec
from backends.recovery.files import PrivateKeyFile, public_key_text
from backends.recovery.keys import RecoveryPrivateKey
from config.files import Files
from tests.contract.key_provider.case import Opener, WrapperCase


class RecoveryCase(WrapperCase):
    """A public key in memory cannot fail while serving."""

    misconfigurations: ClassVar[tuple[str, ...]] = (
        "missing file",
        "directory",
        "not a key",
        "the private key",
        "unknown option",
    )

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self._directory: Path = request.getfixturevalue("tmp_path")
        self._private = self._new_pair("recovery.pub")
        self._new_pair("unrelated.pub")

    def spec(self) -> ProviderSpec:
        return self._spec("recovery.pub")

    def unrelated_spec(self) -> ProviderSpec:
        return self._spec("unrelated.pub")

    def opener(self) -> Opener:
        return self._private.unwrap

    def misconfigured(self, name: str) -> ProviderSpec:
        path = self._directory / "bad"
        if name == "directory":
            path.mkdir()
        elif name == "not a key":
            path.write_text("{}")
        elif name == "the private key":
            path.write_text(PrivateKeyFile(self._private).to_text())
        elif name == "unknown option":
            return self._spec("recovery.pub?ttl=60")
        return self._spec("bad")

    def _new_pair(self, name: str) -> RecoveryPrivateKey:
        private = RecoveryPrivateKey.generate()
        (self._directory / name).write_text(public_key_text(private.public_key))
        return private

    def _spec(self, name: str) -> ProviderSpec:
        uri = f"recovery:{self._directory / name}"
        return parse_spec(uri, setting="STRONGROOM_ESCROW_KEYS[1]", concurrency=4, files=Files())
