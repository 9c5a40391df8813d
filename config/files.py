"""Reads the files that settings name, if no other user can write them, or read them if private.

Files that Docker, Kubernetes and systemd mount cannot always have mode 0600. So each way by which
these platforms protect a file from other users is accepted, and no other.
"""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from config.file_system import IN_MEMORY, file_system_of

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""The variable that systemd sets for ``LoadCredential=``: https://systemd.io/CREDENTIALS/."""

_RUN_SECRETS = Path("/run/secrets")
_LARGEST_FILE = 64 * 1024
_LARGEST_BUNDLE = 4 * 1024 * 1024
_ROOT = 0
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OURS = frozenset({0o600, 0o400})
_ROOTS = frozenset({0o600, 0o400, 0o640, 0o440})
_DOCKERS = 0o444


class UnsafeFile(ValueError):
    """A fault of a file, as the predicate to "the file". It does not contain the path."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open file.

    Attributes:
        path: Its path without links.
        found: The result of fstat(2).
    """

    descriptor: int
    path: Path
    found: os.stat_result

    @property
    def mode(self) -> int:
        """The permission bits."""
        return stat.S_IMODE(self.found.st_mode)


_Judge = Callable[[_Opened], str | None]


@dataclass(frozen=True, slots=True)
class Files:
    """The one reader of keys, credentials and files that decide where keys go.

    Attributes:
        credentials_directory: The directory of systemd for credentials of this service, if any.
    """

    credentials_directory: Path | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Make the reader for a process with this environment."""
        directory = environ.get(CREDENTIALS_DIRECTORY, "")
        return cls(Path(directory) if Path(directory).is_absolute() else None)

    def read_private(self, path: Path) -> bytes:
        """Read a file, of at most 64 KiB, that other users can neither read nor write.

        Raises:
            UnsafeFile: The file breaks a rule, or cannot be read.
        """
        return _read(path, self._privacy_fault)

    def read_trusted(self, path: Path) -> bytes:
        """Read a file, of at most 64 KiB, that other users may read and cannot write.

        Raises:
            UnsafeFile: The file breaks a rule, or cannot be read.
        """
        return _read(path, _trust_fault)

    def read_bundle(self, path: Path) -> bytes:
        """Read a trusted file of certificates, of at most 4 MiB: that of a system has 200 KiB.

        Raises:
            UnsafeFile: The file breaks a rule, or cannot be read.
        """
        return _read(path, _trust_fault, _LARGEST_BUNDLE)

    def _privacy_fault(self, file: _Opened) -> str | None:
        fault = _owner_fault(file.found, "must")
        if fault or self._is_private(file):
            return fault
        return f"must be of mode 0600{_platforms_way(file.path)}"

    def _is_private(self, file: _Opened) -> bool:
        if file.found.st_uid == os.geteuid() and file.mode in _OURS:
            return True
        return file.found.st_uid == _ROOT and (
            (file.mode in _ROOTS and file.found.st_gid in _our_groups())
            or self._is_a_credential(file)
            or _is_a_docker_secret(file)
        )

    def _is_a_credential(self, file: _Opened) -> bool:
        """Return True if it is in the directory of systemd for this service."""
        if self.credentials_directory is None or file.mode & _OTHERS_MAY_WRITE:
            return False
        return file.path.is_relative_to(os.path.realpath(self.credentials_directory))


def _our_groups() -> set[int]:
    """Return the groups that grant this process access. Root needs no group for that."""
    groups = {os.getegid(), *os.getgroups()}
    return groups if os.geteuid() != _ROOT else groups - {_ROOT}


def _is_a_docker_secret(file: _Opened) -> bool:
    return (
        file.mode == _DOCKERS
        and file.path.is_relative_to(os.path.realpath(_RUN_SECRETS))
        and file_system_of(file.descriptor) in IN_MEMORY
    )


def _trust_fault(file: _Opened) -> str | None:
    fault = _owner_fault(file.found, "must")
    if fault is None and file.mode & _OTHERS_MAY_WRITE:
        fault = "must not be writable by its group or others; run: chmod go-w"
    return fault


def _owner_fault(found: os.stat_result, must: str) -> str | None:
    if found.st_uid in {_ROOT, os.geteuid()}:
        return None
    return f"{must} belong to root or to the user that Strongroom runs as"


def _read(path: Path, judge: _Judge, largest: int = _LARGEST_FILE) -> bytes:
    try:
        real = Path(os.path.realpath(path, strict=True))
        # A named pipe without a writer must be refused by its mode, not waited for.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            opened = _Opened(descriptor, real, os.fstat(descriptor))
            fault = _fault(opened, judge, largest) or _directory_fault(path.parent)
            fault = fault or _directory_fault(real.parent)
            if fault is None:
                return file.read(largest)
    except (OSError, ValueError):
        fault = "cannot be read"
    raise UnsafeFile(fault)


def _fault(file: _Opened, judge: _Judge, largest: int) -> str | None:
    if not stat.S_ISREG(file.found.st_mode):
        return "must be a regular file"
    if file.found.st_size > largest:
        return f"is larger than {largest // 1024} KiB"
    return judge(file)


def _directory_fault(directory: Path) -> str | None:
    """Return a fault if another user could replace a file in the directory.

    In a sticky directory no user can replace the file of another. The root group is accepted
    because OpenShift runs containers with it, under arbitrary user ids.
    """
    found = directory.stat()
    fault = _owner_fault(found, "is in a directory that must")
    if fault or found.st_mode & stat.S_ISVTX:
        return fault
    others = _OTHERS_MAY_WRITE if found.st_gid != _ROOT else stat.S_IWOTH
    if found.st_mode & others:
        return "is in a directory that must not be writable by its group or others; run: chmod go-w"
    return None


def _platforms_way(path: Path) -> str:
    """Name the setting of the platform that chooses the mode."""
    if any(part.startswith("..") for part in path.parts):  # Kubernetes: ..data and its like
        return " (in Kubernetes: defaultMode: 0440 of the volume, and fsGroup of the pod)"
    if path.is_relative_to(os.path.realpath(_RUN_SECRETS)):
        return " (in Docker: mode: 0400 and uid: of the secret)"
    return ""
