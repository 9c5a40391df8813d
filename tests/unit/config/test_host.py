"""The limits of the machine."""

import os
from pathlib import Path

import pytest

from config import host, load

MIB = 1 << 20


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of cgroups of the test's own."""
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(host, "_CGROUPS", root)
    monkeypatch.setattr(host, "_OWN_CGROUPS", tmp_path / "own")
    return root


def belong_to(cgroups: Path, *lines: str) -> None:
    (cgroups.parent / "own").write_text("".join(f"{line}\n" for line in lines))


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def test_the_bound_of_a_service_is_found(cgroups: Path) -> None:
    belong_to(cgroups, "0::/system.slice/strongroom.service")
    put(cgroups / "system.slice/strongroom.service/pids.max", "77")
    assert host.task_limit() == 77


def test_the_least_bound_on_the_way_up_counts(cgroups: Path) -> None:
    belong_to(cgroups, "0::/kubepods/pod/container")
    put(cgroups / "kubepods/pod/container/pids.max", "max")
    put(cgroups / "kubepods/pod/pids.max", "512")
    put(cgroups / "kubepods/pids.max", "4096")
    assert host.task_limit() == 512


@pytest.mark.parametrize("path", ["/", "/../../outside"])
def test_in_a_container_its_own_cgroup_is_the_root(cgroups: Path, path: str) -> None:
    belong_to(cgroups, f"0::{path}")
    put(cgroups / "memory.max", str(64 * MIB))
    assert host.memory_limit() == 64 * MIB


def test_the_bounds_of_the_first_version_are_found(cgroups: Path) -> None:
    belong_to(cgroups, "5:cpu,cpuacct:/", "4:memory:/docker/abc", "3:pids:/docker/abc", "0::/")
    put(cgroups / "memory/memory.limit_in_bytes", str(64 * MIB))
    put(cgroups / "pids/docker/abc/pids.max", "33")
    assert (host.memory_limit(), host.task_limit()) == (64 * MIB, 33)


def test_without_cgroups_there_is_what_the_machine_has(cgroups: Path) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (host.memory_limit(), host.task_limit()) == (machine, None)


def test_more_workers_and_threads_need_more_of_everything() -> None:
    few = load({"STRONGROOM_WORKERS": "1", "STRONGROOM_THREADS": "4"})
    many = load({"STRONGROOM_WORKERS": "4", "STRONGROOM_THREADS": "64"})
    for needed in (host.needed_files, host.needed_tasks, host.needed_memory, host.wanted_memory):
        assert needed(few) < needed(many)
