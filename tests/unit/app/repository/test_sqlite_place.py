"""File systems on which a database cannot be, or not for long."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from app.repository.sqlite.disk import place
from app.repository.sqlite.disk.place import look_at_place
from config.file_system import FileSystem, file_system_of

SETTING = "STRONGROOM_DATABASE_URL: "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "strongroom.db"


def be(kind: FileSystem | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "file_system_of", lambda _: kind)


@pytest.mark.parametrize("kind", ["NFS", "SMB", "CIFS", "SMB2", "AFS", "CODA"])
def test_a_network_file_system_is_refused_by_name(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    be(FileSystem[kind], monkeypatch)
    (fault,) = look_at_place(path).faults
    assert fault.startswith(f"{SETTING}the database is on a network file system ({kind})")


@pytest.mark.parametrize("kind", ["FUSE", "CEPH", "V9FS", "OVERLAY", "TMPFS", "RAMFS"])
def test_a_file_system_that_many_share_or_that_ends_is_warned_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    be(FileSystem[kind], monkeypatch)
    findings = look_at_place(path)
    assert (len(findings.warnings), findings.faults) == (1, [])


def test_a_disk_of_this_machine_is_fine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be(None, monkeypatch)
    findings = look_at_place(path)
    assert (findings.warnings, findings.faults) == ([], [])


def test_memory_is_told_from_other_file_systems() -> None:
    kinds = set()
    for directory in ("/dev/shm", "/proc"):  # noqa: S108 - nothing is read there
        if not Path(directory).is_dir():
            pytest.skip(f"this machine has no {directory}")
        descriptor = os.open(directory, os.O_RDONLY)
        kinds.add(file_system_of(descriptor))
        os.close(descriptor)
    assert kinds == {FileSystem.TMPFS, None}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: int, __: int) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (fault,) = look_at_place(path).faults
    assert fault == f"{SETTING}the file system of the database has no locks (flock)."
