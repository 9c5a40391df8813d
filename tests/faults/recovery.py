"""``recovery``: a public key, with which this process wraps by itself; it is listed as escrow."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from backends.local_fernet import new_key_file
from backends.recovery.files import public_key_text
from backends.recovery.keys import RecoveryPrivateKey
from tests.faults.fault import Fault, Never
from tests.faults.files import (
    GARBAGE,
    FileBackend,
    file_replaced,
    missing,
    refused_at_start,
    spoilt,
    unreadable,
    write,
)

_NO_NETWORK = Never("The public key is on this machine and read once, at start.")
_OPENS_NOTHING = Never("It only wraps, by a library of this process, and gives no data key.")
_UNREADABLE = refused_at_start("STRONGROOM_ESCROW_KEYS (entry 1): the file cannot be read.")


class RecoveryBackend(FileBackend):
    """The public half of a pair, beside a key file."""

    faults: ClassVar[Mapping[str, Fault | Never]] = {
        "refused": _NO_NETWORK,
        "unknown-host": _NO_NETWORK,
        "time-out": _NO_NETWORK,
        "4xx": _NO_NETWORK,
        "5xx": _NO_NETWORK,
        "throttled": _NO_NETWORK,
        "sealed": _NO_NETWORK,
        "denied": file_replaced(unreadable, _UNREADABLE),
        "disabled": Never("A public key cannot be switched off."),
        "truncated": _OPENS_NOTHING,
        "wrong-length": _OPENS_NOTHING,
        "others-key": _OPENS_NOTHING,
        "file-missing": file_replaced(missing, _UNREADABLE),
        "file-of-garbage": file_replaced(
            spoilt,
            refused_at_start(
                "STRONGROOM_ESCROW_KEYS (entry 1): the file must hold a recovery public key."
            ),
        ),
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        paths: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        directory = paths.mktemp("recovery")
        self.file, self._key_file = directory / "recovery.public", directory / "keys"
        text = public_key_text(RecoveryPrivateKey.generate().public_key)
        write(self.file, text.encode(), mode=0o644)
        write(self._key_file, new_key_file())
        self.keys, self.escrow = f"local-fernet:{self._key_file}", f"recovery:{self.file}"

    def secrets(self) -> Mapping[str, str | bytes]:
        return {"garbage": GARBAGE}

    def rotate(self) -> None:
        write(self._key_file, new_key_file() + self._key_file.read_bytes())
