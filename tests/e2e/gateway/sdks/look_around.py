"""A program that looks for secrets in all that its user can read. Run it as the agent's user.

It gets the forms of each secret as hexadecimal digits, in a JSON object that stands in no file.
Its arguments are a time, in Unix seconds, before which no file was written that matters, and places
beside those where programs put files. It prints the files that it could read, and those in which it
found each secret, as one JSON object.
"""

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 - that is what is searched
_MAX_BYTES = 64 << 20
_OF_PROCESSES = ("environ", "cmdline")


def _files(places: list[str], since: float) -> Iterator[Path]:
    """Yield the regular files in these places that were written since then."""
    for place in places:
        for directory, _, names in os.walk(place):
            for path in (Path(directory, name) for name in names):
                try:
                    found = path.lstat()
                except OSError:
                    continue
                is_new = found.st_mtime >= since and found.st_size <= _MAX_BYTES
                if stat.S_ISREG(found.st_mode) and is_new:
                    yield path


def _processes() -> Iterator[Path]:
    """Yield what the system shows of other processes."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            yield from (process / name for name in _OF_PROCESSES)


def look(places: list[str], since: float, secrets: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Search all of it."""
    seen: dict[str, list[str]] = {"read": [], **{name: [] for name in secrets}}
    for path in [*_files(places, since), *_processes()]:
        try:
            content = path.read_bytes()
        except OSError:
            continue
        seen["read"].append(str(path))
        for name, forms in secrets.items():
            if any(form in content for form in forms):
                seen[name].append(str(path))
    return seen


if __name__ == "__main__":
    since, *places = sys.argv[1:]
    given = json.load(sys.stdin).items()
    secrets = {name: [bytes.fromhex(form) for form in forms] for name, forms in given}
    json.dump(look([*_PLACES, *places], float(since), secrets), sys.stdout)
