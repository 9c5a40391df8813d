"""The command's display of a sweep's progress."""

import os
import pty
import re
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import click
import pytest

from app.cli import progress as shown_progress
from app.services.keys.failure_reasons import FailureReason
from app.services.rotation.progress import Progress


def at(done: int, seconds_remaining: float | None = 7.4) -> Progress:
    reasons = {FailureReason.KEY_UNAVAILABLE: 1}
    return Progress(
        done=done,
        position=done,
        total=90,
        changed=done,
        reasons=reasons,
        seconds_remaining=seconds_remaining,
    )


def test_lines_are_five_seconds_apart(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    report = shown_progress.lines(lambda: now)
    for done, seconds in ((1, 0.0), (2, 4.9), (3, 5.0), (4, 6.0), (5, 10.0)):
        now = 100.0 + seconds
        report(at(done))
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"strongroom: {done} of 90 data keys done, 1 data keys failed; about 7 s remaining."
        for done in (1, 3, 5)
    ]


def test_the_remaining_time_is_shown_once_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    shown_progress.lines()(at(0, None))
    assert capsys.readouterr().err == "strongroom: 0 of 90 data keys done, 1 data keys failed.\n"


def test_progress_names_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    shown_progress.lines()(replace(at(3), unit="secrets"))
    assert capsys.readouterr().err.startswith("strongroom: 3 of 90 secrets done, 1 data keys")


@contextmanager
def screen() -> Iterator[Callable[[str], str]]:
    """Make standard error a terminal. Yields what is on it, once a text is there."""
    reader, writer = pty.openpty()
    with open(reader, "rb", buffering=0) as screen, open(writer, "w") as terminal:  # noqa: PTH123
        drawn = ""

        def read_until(text: str) -> str:
            nonlocal drawn
            terminal.flush()
            while text not in drawn:  # a terminal passes on what was written piece by piece
                assert select.select([screen], [], [], 20)[0], f"{text!r} does not come: {drawn!r}"
                drawn += os.read(screen.fileno(), 10_000).decode()
            return drawn

        with patch("sys.stderr", terminal):
            yield read_until


def test_a_terminal_gets_a_bar() -> None:
    with screen() as read_until:
        with shown_progress.shown() as report:
            report(at(45))
            report(at(90, 0))
        drawn = read_until("90/90")
    assert "data keys  [#################------------------]  45/90  about 7 s remaining" in drawn


def test_the_bar_begins_at_what_was_done_before() -> None:
    with screen() as read_until:
        with shown_progress.shown() as report:
            report(replace(at(30), done=1))
            report(at(90, 0))
        drawn = read_until("90/90")
    assert re.findall(r"(\d+)/90", drawn) == ["30", "90"]


def interrupted(*, dry_run: bool) -> None:
    with shown_progress.shown(dry_run=dry_run) as report:
        report(at(30))
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("dry_run", "said"),
    [
        (False, "stopped: 30 of 90 data keys done. To go on, run the same command again."),
        (True, "stopped. It was a dry run: nothing was changed."),
    ],
)
def test_an_interrupted_sweep_says_how_far_it_came(
    dry_run: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as ended:
        interrupted(dry_run=dry_run)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"strongroom: {said}"
