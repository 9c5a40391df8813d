"""The files in which workers count are read together, and added up when a worker has ended."""

import fcntl
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import mmap_dict
from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import files
from app.observability.metrics.files import add_up, text_of


def write(directory: Path, kind: str, worker: int, counts: Mapping[str, float]) -> None:
    """Write what a worker counted, as the library does."""
    stored = mmap_dict.MmapedDict(str(directory / f"{kind}_{worker}.db"))  # type: ignore[no-untyped-call]
    for name, count in counts.items():
        key = mmap_dict.mmap_key("made", name, ["route"], ["/"], "Made.")
        stored.write_value(key, count, 0.0)  # type: ignore[no-untyped-call]
    stored.close()  # type: ignore[no-untyped-call]


def read(directory: Path) -> dict[str, float]:
    """Read the samples as Prometheus does, by name."""
    families = text_string_to_metric_families(text_of(directory).decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_the_counts_of_all_workers_are_one_sum(tmp_path: Path) -> None:
    write(tmp_path, "counter", 11, {"made_total": 2})
    write(tmp_path, "counter", 12, {"made_total": 3})
    assert read(tmp_path)["made_total"] == 5


def test_no_count_is_lost_when_workers_end(tmp_path: Path) -> None:
    for worker in range(11, 15):
        write(tmp_path, "counter", worker, {"made_total": worker})
    add_up(tmp_path, live=[13, 14])
    add_up(tmp_path, live=[14])
    assert read(tmp_path)["made_total"] == 11 + 12 + 13 + 14


def test_workers_that_ended_leave_one_file_of_a_kind(tmp_path: Path) -> None:
    for worker in range(11, 31):
        write(tmp_path, "counter", worker, {"made_total": 1})
        write(tmp_path, "histogram", worker, {"made_sum": 1})
    add_up(tmp_path, live=[])
    assert {file.name for file in tmp_path.glob("*.db")} == {
        "counter_ended.db",
        "histogram_ended.db",
    }


def test_the_state_of_a_worker_that_ended_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, "gauge_livesum", 11, {"made": 1})
    write(tmp_path, "counter", 11, {"made_total": 1})
    add_up(tmp_path, live=[])
    assert "made" not in read(tmp_path)


def test_counts_that_somebody_reads_are_added_up_later(tmp_path: Path) -> None:
    write(tmp_path, "counter", 11, {"made_total": 1})
    with (tmp_path / "lock").open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        add_up(tmp_path, live=[])
    add_up(tmp_path, live=[])
    assert (read(tmp_path)["made_total"], len(list(tmp_path.glob("*.db")))) == (1, 1)


def test_a_file_that_a_worker_has_only_just_made_is_read(tmp_path: Path) -> None:
    write(tmp_path, "counter", 11, {"made_total": 1})
    (tmp_path / "counter_12.db").touch()
    assert read(tmp_path)["made_total"] == 1


def test_a_reader_that_hangs_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_READER_SECONDS", 0.0)
    with (tmp_path / "lock").open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            text_of(tmp_path)
