"""Programs of another user on this machine, with nothing of ours but what everybody may read.

The agent of a gateway is such a user. Where our Python or the checkout is below a directory that
only its owner may enter, they are mounted to the same place without the rest of that directory, in
a mount namespace of the program's own.
"""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.programs import require

_ROOT = Path(__file__).parents[2]
_USER = 54_321  # has no entry in the list of users
_ENTER = (
    "exec setpriv --reuid={user} --regid={user} {groups} --no-new-privs"
    ' --inh-caps=-all --bounding-set=-all -- "$@"'
)


@dataclass(frozen=True)
class Box:
    """A directory of that user's own, and a way to start programs there.

    Attributes:
        directory: The user's home, which everybody may enter.
        groups: Those of the user beside the one of the same number.
    """

    directory: Path
    user: int
    groups: tuple[int, ...]
    _mounts: str

    @property
    def environment(self) -> dict[str, str]:
        """The least that its programs need."""
        path = os.environ["PATH"]  # noqa: TID251 - of the machine
        return {"PATH": path, "HOME": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        """Start a program with pipes for its input and its output; errors come with the output."""
        groups = f"--groups={','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        enter = _ENTER.format(user=self.user, groups=groups)
        script = f"{self._mounts}\ncd '{self.directory}'\n{enter}"
        return subprocess.Popen(
            [require("unshare"), "--mount", "sh", "-euc", script, "sh", *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def processes(self) -> list[Path]:
        """The directories in ``/proc`` of the user's processes."""
        return [each for each in Path("/proc").glob("[0-9]*") if _user_of(each) == self.user]


@contextmanager
def another_users_box(user: int = _USER, *groups: int) -> Iterator[Box]:
    """A box, until the block ends. The test is skipped where we can become nobody else."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    require("setpriv")
    with TemporaryDirectory(prefix="strongroom-") as name:
        place = Path(name)
        place.chmod(0o711)
        home, stage = place / "home", place / "stage"
        home.mkdir()
        os.chown(home, user, user)
        box = Box(home, user, groups, _mounts(stage))
        _require_entry(box)
        yield box


def _mounts(stage: Path) -> str:
    """Return shell commands that make our Python and the checkout reachable for everybody."""
    aside, hidden, back = [], [], []
    for number, needed in enumerate((Path(sys.base_prefix), _ROOT)):
        closed = [each for each in reversed(needed.parents) if not _may_pass(each)]
        if closed:
            place = stage / str(number)
            place.mkdir(parents=True)
            aside.append(f"mount --bind '{needed}' '{place}'")
            hidden.append(f"mount -t tmpfs -o mode=755 none '{closed[0]}'")
            back.append(f"mkdir -p '{needed}' && mount --move '{place}' '{needed}'")
    return "\n".join((*aside, *dict.fromkeys(hidden), *back))


def _may_pass(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)


def _require_entry(box: Box) -> None:
    """Skip the test where the machine permits no such program, or nobody may read the checkout."""
    tried = box.start([sys.executable, "-c", "import app.cli.main"], box.environment)
    printed, _ = tried.communicate(timeout=120)
    if tried.returncode:
        pytest.skip(f"another user cannot run this Python here: {printed[-300:]}")


def _user_of(process: Path) -> int | None:
    """Return the real user of a process; that of its directory may be root all the same."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:  # it has ended
        return None
    (users,) = (line.split() for line in lines if line.startswith("Uid:"))
    return int(users[1])
