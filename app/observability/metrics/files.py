"""The files of the workers: read together, and added up when a worker has ended.

The library lets the files of each worker that ever ran stand, since counts never fall. Here those
of workers that ended are added to one pair of files, so their number is bounded. A lock keeps a
reader from seeing counts twice or not at all.
"""

import fcntl
import re
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, mmap_dict, multiprocess
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# The library has no types for these.
_File: Any = mmap_dict.MmapedDict
_merge: Any = multiprocess.MultiProcessCollector.merge
_drop_gauges: Any = multiprocess.mark_process_dead

_OF_WORKER = re.compile(r"(?:counter|histogram)_([0-9]+)\.db")
_LOCK = "lock"
_READER_SECONDS = 2.0
_LOOK_SECONDS = 0.01


def text_of(directory: Path, *others: Collector) -> bytes:
    """Return the metrics of all workers and of other collectors, as Prometheus reads them.

    Raises:
        BlockingIOError: Another reader does not come to an end.
    """
    registry = CollectorRegistry()
    registry.register(_OfWorkers(directory))
    for each in others:
        registry.register(each)
    return generate_latest(registry)


def add_up(directory: Path, live: Collection[int]) -> None:
    """Add the counts of workers that ended to those of earlier ones, and remove their files.

    While somebody reads, nothing is done: the counts are read where they are, and added up later.

    Args:
        live: The workers that have not ended.
    """
    for process, files in _files_of_ended(directory, live).items():
        _drop_gauges(process, str(directory))
        with suppress(BlockingIOError), _locked(directory, 0):
            for file in files:
                _add(file, directory / f"{file.name.partition('_')[0]}_ended.db")
                file.unlink()


class _OfWorkers(Collector):
    """The counts of all workers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """Add up the files, but for one that a worker has only just made: it is empty.

        Only that is done under the lock: other collectors may ask a database that does not answer.
        """
        with _locked(self._directory, _READER_SECONDS):
            found = [file for file in self._directory.glob("*.db") if _size(file) > 0]
            metrics: Iterable[Metric] = _merge([str(file) for file in found])
            return metrics


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _files_of_ended(directory: Path, live: Collection[int]) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for file in directory.iterdir():
        named = _OF_WORKER.fullmatch(file.name)
        if named is not None and int(named[1]) not in live:
            found.setdefault(int(named[1]), []).append(file)
    return found


def _add(source: Path, target: Path) -> None:
    sums = _File(str(target))
    try:
        for key, value, _, _ in _File.read_all_values_from_file(str(source)):
            before, _ = sums.read_value(key)
            sums.write_value(key, before + value, 0.0)
    finally:
        sums.close()


@contextmanager
def _locked(directory: Path, seconds: float) -> Iterator[None]:
    """Keep others from reading or adding up.

    Raises:
        BlockingIOError: Somebody else does for as long as this.
    """
    deadline = time.monotonic() + seconds
    with (directory / _LOCK).open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
        yield
