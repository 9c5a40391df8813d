"""The command's display of a sweep's progress."""

import os
import pty
from dataclasses import replace

import pytest

from app.cli import progress as shown_progress
from app.services.keys.failure_reasons import FailureReason
from app.services.rotation.progress import Progress


def at(done: int, seconds_remaining: float | None = 7.4) -> Progress:
    reasons = {FailureReason.KEY_UNAVAILABLE: 1}
    return Progress(
        done=done, total=90, changed=done, reasons=reasons, seconds_remaining=seconds_remaining
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


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with open(reader, "rb", buffering=0) as screen, open(writer, "w") as terminal:  # noqa: PTH123
        monkeypatch.setattr("sys.stderr", terminal)
        with shown_progress.shown() as report:
            report(at(45))
            report(at(90))
        terminal.flush()
        drawn = ""
        while "90/90" not in drawn:  # a terminal passes on what was written piece by piece
            drawn += os.read(screen.fileno(), 10_000).decode()
    assert "data keys  [##################------------------]  45/90" in drawn
    assert "90/90" in drawn
