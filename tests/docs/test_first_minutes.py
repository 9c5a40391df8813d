"""``docs/first-minutes.md``: typed as it stands into real terminals, which show each line of it."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.console import pattern_of
from tests.support.ports import free_port
from tests.support.tmux import Terminals, terminals
from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "first-minutes.md").read_text()
_PORTS_OF_THE_PAGE = ("8080", "8081")  # of the server, and of the gateway
_UNSEEN = ("value of GREETING:", "the same again:")
_ANSWERED = re.compile(r".*\[y/N\]: (.+)")
_OF_A_CHECKOUT = ["Makefile", "app", "backends", "config", "pyproject.toml", "requirements"]
_SECONDS = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of a session, and the terminal that shows them: first, second or third."""

    terminal: str
    lines: list[str]


def _blocks() -> list[Block]:
    found = re.finditer(r"^```console\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    return [
        Block(
            re.findall(r"(first|second|third) terminal", _PAGE[: each.start()])[-1],
            each[1].splitlines(),
        )
        for each in found
    ]


class User:
    """Someone with the page in front of them, who types what it says and reads what is shown."""

    def __init__(self, screens: Terminals, *ports: int) -> None:
        self._screens = screens
        self._ports = dict(zip(_PORTS_OF_THE_PAGE, map(str, ports), strict=True))
        self._numbers: dict[str, str] = {}
        self._shown: dict[str, list[str]] = {}

    def follow(self, block: Block) -> None:
        """Type the lines that are typed, each once those before it are shown."""
        number = self._numbers.get(block.terminal) or self._numbers.setdefault(
            block.terminal, self._screens.open()
        )
        for line in block.lines:
            self._before(block.terminal, number, line)
            self._shown.setdefault(block.terminal, []).append(line)
            if line in _UNSEEN:
                self._wait(block.terminal, number)
                self._screens.type(number, self._unseen)
        self._wait(block.terminal, number)

    def _before(self, terminal: str, number: str, line: str) -> None:
        """Type what is typed before this line stands on the screen."""
        if line.startswith("$ "):
            self._wait(terminal, number, "$")
            self._screens.type(number, line.removeprefix("$ "))
        elif line == "^C":
            self._wait(terminal, number)
            self._screens.interrupt(number)
        elif answered := _ANSWERED.fullmatch(line):
            self._wait(terminal, number, line.removesuffix(answered[1]).rstrip())
            self._screens.type(number, answered[1])

    def _wait(self, terminal: str, number: str, *more: str) -> None:
        """Wait until the terminal shows what the page shows, and no other line."""
        expected = "\n".join([*self._shown.get(terminal, []), *more])
        for ours, theirs in self._ports.items():
            expected = expected.replace(ours, theirs)
        pattern = pattern_of(expected)

        def is_shown() -> bool:
            shown = self._screens.screen(number) + "\n"
            return bool(pattern.fullmatch(shown) or pattern.fullmatch(shown.removesuffix("$\n")))

        try:
            wait_until(is_shown, _SECONDS)
        except TimeoutError:
            pytest.fail(f"expected:\n{expected}\n\nshown:\n{self._screens.screen(number)}")

    @property
    def _unseen(self) -> str:
        """The value that the page has its reader type."""
        return str(re.findall(r"unseen\. Here it is `(.*)`", _PAGE)[0])


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Someone in a checkout where all is installed and nothing was started."""
    checkout = tmp_path / "strongroom"
    _check_out(checkout)
    port, gateway_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - make and python3 of the machine
        "HOME": str(tmp_path),
        "PORT": str(port),
        "STRONGROOM_GATEWAY_PORT": str(gateway_port),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    with terminals(checkout, environment) as screens:
        yield User(screens, port, gateway_port)


def _check_out(directory: Path) -> None:
    """Make a checkout by links, and a virtual environment with the stamp of an installed one."""
    ours, installed = directory / ".venv", Path(sys.prefix)
    (ours / "bin").mkdir(parents=True)
    for name in [*_OF_A_CHECKOUT, "wsgi.py"]:
        (directory / name).symlink_to(_ROOT / name)
    for name in ("lib", "pyvenv.cfg", "bin/python"):
        (ours / name).symlink_to(installed / name)
    for script in ("gunicorn", "strongroom"):
        text = (installed / "bin" / script).read_text()
        (ours / "bin" / script).write_text(text.replace(str(installed), str(ours)))
        (ours / "bin" / script).chmod(0o755)
    (ours / ".runtime").touch()


def test_terminals_show_each_line_of_the_page(user: User) -> None:
    blocks = _blocks()
    assert {each.terminal for each in blocks} == {"first", "second", "third"}
    for block in blocks:
        user.follow(block)
