"""Files that hold keys, and what may be found in their place when a process starts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.api.http.context import NotConnected
from tests.faults.fault import Backend, Failure, Fault

GARBAGE = b"correct-horse-battery-staple"


class FileBackend(Backend):
    """A backend whose faults are in one file.

    Attributes:
        file: Read once, at start.
    """

    file: Path


def file_replaced(
    put: Callable[[Path, bytes], object], failure: Failure, *, restart: bool = False
) -> Fault:
    """Something else stands where the key file was; ``put`` is given what that held."""

    @contextmanager
    def during(backend: FileBackend) -> Iterator[None]:
        aside = backend.file.with_suffix(".aside")
        backend.file.rename(aside)
        try:
            put(backend.file, aside.read_bytes())
            yield
        finally:
            aside.replace(backend.file)

    return Fault(during, failure, at_start=True, restart=restart)


def missing(*_: object) -> None:
    """Leave nothing in its place."""


def unreadable(path: Path, _held: bytes) -> None:
    """Put a link that leads to itself, which nobody can read."""
    path.symlink_to(path.name)


def readable_by_others(path: Path, held: bytes) -> None:
    write(path, held, mode=0o640)


def spoilt(path: Path, held: bytes) -> None:
    write(path, held + b"\n" + GARBAGE)


def refused_at_start(words: str) -> Failure:
    return Failure(NotConnected, words)


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)
