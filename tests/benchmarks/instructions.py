"""The processor's instructions for one request, of this version and of an older one.

Valgrind counts them, so neither other work on the machine nor its speed matters. What a request
takes is the difference between two runs, of which one serves more of them. A redemption comes with
its injection, so the instructions of an injection are subtracted.

    python -m tests.benchmarks.instructions [DIRECTORY OF ANOTHER CHECKOUT]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).with_name("counted_requests.py")
_RUNS = 100
_REQUESTS = ("get", "list", "create", "inject", "redeem")
_COUNTED = [("get", 0), *((each, _RUNS) for each in _REQUESTS), ("rewrap", 0), ("rewrap", 1)]
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
        _run(tree, [sys.executable], ["prepare", str(home)])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = {
                (operation, number): pool.submit(_count, tree, home, operation, number)
                for operation, number in _COUNTED
            }
        of = {
            operation: (counts[operation, _RUNS].result() - counts["get", 0].result()) / _RUNS
            for operation in _REQUESTS
        }
        of["redeem"] -= of["inject"]
        of["rewrap"] = counts["rewrap", 1].result() - counts["rewrap", 0].result()
        return of


def _count(tree: Path, home: Path, operation: str, number: int) -> int:
    """Return the instructions of one process, on a copy of the prepared home."""
    with tempfile.TemporaryDirectory() as name:
        copy, out = Path(name) / "home", Path(name) / "counts"
        shutil.copytree(home, copy)
        valgrind = ["valgrind", "-q", "--tool=cachegrind", "--cache-sim=no"]
        python = [*valgrind, f"--cachegrind-out-file={out}", sys.executable]
        _run(tree, python, [operation, str(number), str(copy)])
        summary = _SUMMARY.search(out.read_bytes())
        if summary is None:
            raise click.ClickException("valgrind has written no summary.")
        return int(summary.group(1))


def _run(tree: Path, python: list[str], arguments: list[str]) -> None:
    home = arguments[-1]
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "STRONGROOM_HOME": home}
    command = [*python, str(_SCRIPT), *arguments]
    subprocess.run(command, cwd=tree, env=environment, stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
