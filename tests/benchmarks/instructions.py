"""The processor's instructions for one request, of this version and of an older one.

Valgrind counts them, so neither other work on the machine nor its speed matters. What a request
takes is the difference between two runs, of which one serves 100 more of them. A redemption is
counted with its injection. The rewrap is one of 21 data keys.

    python -m tests.benchmarks.instructions [DIRECTORY OF ANOTHER CHECKOUT]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).with_name("counted_requests.py")
_SUMMARY = re.compile(rb"^summary: (\d+)", re.MULTILINE)


@click.command()
@click.argument("base", required=False, type=click.Path(exists=True, path_type=Path))
def main(base: Path | None) -> None:
    """Print the instructions of each operation, in millions, and of how many the base has one."""
    if shutil.which("valgrind") is None:
        raise click.ClickException("This needs valgrind.")
    before = {} if base is None else _measure(base.resolve())
    for operation, count in _measure(_ROOT).items():
        compared = f", {count / before[operation]:.3f} of the base's" if before else ""
        click.echo(f"{operation:8} {count / 1e6:7.3f} million instructions{compared}")


def _measure(tree: Path) -> dict[str, float]:
    """Return the instructions of one request, by operation."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        valgrind = ["valgrind", "-q", "--tool=cachegrind", "--cache-sim=no"]
        files = f"--cachegrind-out-file={name}/%p"
        ran = subprocess.run(
            [*valgrind, files, sys.executable, str(_SCRIPT), str(home)],
            cwd=tree,
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "STRONGROOM_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        counts: dict[str, dict[int, int]] = {}
        for line in ran.stdout.decode().splitlines():
            operation, times, child = line.split()
            counts.setdefault(operation, {})[int(times)] = _count(Path(name) / child)
    return {each: (found[max(found)] - found[0]) / max(found) for each, found in counts.items()}


def _count(file: Path) -> int:
    summary = _SUMMARY.search(file.read_bytes())
    if summary is None:
        raise click.ClickException("valgrind has written no summary.")
    return int(summary.group(1))


if __name__ == "__main__":
    main()
