"""``local-fernet``: a key file, which is read once, and the library that wraps with its keys."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import pytest
from cryptography.fernet import Fernet

from backends import local_fernet
from backends.errors import UnknownKey
from backends.local_fernet import new_key_file
from tests.faults.fault import (
    DOES_NOT_OPEN,
    NOT_PROVED,
    SYSTEM_KEY_UNREADABLE,
    Failure,
    Fault,
    Never,
)
from tests.faults.files import (
    GARBAGE,
    FileBackend,
    file_replaced,
    missing,
    readable_by_others,
    refused_at_start,
    spoilt,
    unreadable,
    write,
)
from tests.faults.planted import PLANTED, others_key, short_key

NO_NETWORK = Never("The key file is on this machine and read once, at start.")


class CutOff(Fernet):
    """Gets the first half of a token."""

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        return super().decrypt(token[: len(token) // 2], ttl)


class TooShort(Fernet):
    """Opens to 31 bytes."""

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        return short_key()


class OfSomebodyElse(Fernet):
    """Opens to another data key each time."""

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        return others_key()


@contextmanager
def library(kind: type[Fernet]) -> Iterator[None]:
    """Let the provider wrap with this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_fernet, "Fernet", kind)
        yield


def answering(kind: type[Fernet]) -> Fault:
    return Fault(lambda _: library(kind), DOES_NOT_OPEN, NOT_PROVED, SYSTEM_KEY_UNREADABLE)


class LocalFernetBackend(FileBackend):
    """One key file."""

    faults: ClassVar[Mapping[str, Fault | Never]] = {
        "refused": NO_NETWORK,
        "unknown-host": NO_NETWORK,
        "time-out": NO_NETWORK,
        "4xx": NO_NETWORK,
        "5xx": NO_NETWORK,
        "throttled": NO_NETWORK,
        "sealed": Never("A key file that is not there is 'file-missing'."),
        "denied": file_replaced(
            unreadable, refused_at_start("STRONGROOM_KEYS (entry 1): the file cannot be read.")
        ),
        "disabled": Never("Whoever holds the file can use its keys."),
        "truncated": answering(CutOff),
        "wrong-length": answering(TooShort),
        "others-key": answering(OfSomebodyElse),
        "file-missing": file_replaced(
            missing, refused_at_start("STRONGROOM_KEYS (entry 1): the file cannot be read.")
        ),
        "file-open-to-others": file_replaced(
            readable_by_others,
            refused_at_start("STRONGROOM_KEYS (entry 1): the file must be of mode 0600."),
        ),
        "file-of-garbage": file_replaced(
            spoilt,
            refused_at_start(
                "STRONGROOM_KEYS (entry 1): the key file must hold one Fernet key a line."
            ),
        ),
        "file-of-another-key": file_replaced(
            lambda path, _: write(path, new_key_file()),
            Failure(UnknownKey, "No listed provider owns a wrapping of this data key."),
            restart=True,
        ),
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        paths: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        self.file = paths.mktemp("local-fernet") / "keys"
        self._first = new_key_file()
        write(self.file, self._first)
        self.keys = f"local-fernet:{self.file}"

    def secrets(self) -> Mapping[str, str | bytes]:
        return {
            "garbage": GARBAGE,
            "a root key": base64.urlsafe_b64decode(self._first),
            **PLANTED,
        }

    def rotate(self) -> None:
        write(self.file, new_key_file() + self._first)
