"""Exports verify offline, by the public key alone and by code that the server has not."""

import json
from collections.abc import Callable, Sequence

import pytest

from app.client.offline import verify_audit
from app.domain.audit.exported import Line
from app.domain.audit.filters import EventFilter
from app.services.audit.exporting import ExportFilter
from tests.support.audit_trail import Trail

STATEMENTS = {"export", "head", "end"}
"""Lines that may stand twice, or be left out where a later head proves the same."""


@pytest.fixture
def key(trail: Trail) -> str:
    return trail.system_key.opened().head_signer.verifier.text


@pytest.fixture
def lines(trail: Trail) -> list[Line]:
    """An export of three sealings of two accounts."""
    for number in range(3):
        trail.clock.advance(seconds=60)
        trail.record("acct_a", f"sec_{number}@1", times=2)
        trail.record("acct_b", "sec_9@7")
        trail.sealer.seal()
    return list(trail.exporter.export(None, ExportFilter()))


def faults_of(lines: Sequence[Line], key: str, kept: Sequence[verify_audit.Head] = ()) -> list[str]:
    verification = verify_audit.Verification(verify_audit.Key(key), kept)
    verification.read(json.dumps(line) for line in lines)
    return verification.faults


def test_an_export_is_right(lines: list[Line], key: str) -> None:
    assert faults_of(lines, key) == []


def test_an_export_shows_every_event_in_words_of_ocsf(lines: list[Line]) -> None:
    events = [line for line in lines if line["type"] == "event"]

    assert len(events) >= 9
    assert {event["resources"][0]["uid"] for event in events} >= {"sec_0", "sec_9"}


def test_what_a_filter_leaves_out_is_a_hash_that_proves_the_rest(
    trail: Trail, lines: list[Line], key: str
) -> None:
    wanted = ExportFilter(events=(EventFilter(subject="sec_1"),))
    filtered = list(trail.exporter.export(None, wanted))

    assert faults_of(filtered, key) == []
    assert sum(line["type"] == "event" for line in filtered) == 2
    assert "sec_9" not in json.dumps(filtered)


def test_an_export_goes_on_where_the_one_before_ended(
    trail: Trail, lines: list[Line], key: str
) -> None:
    trail.record("acct_a", times=3)
    following = list(trail.exporter.export(lines[-1]["size"], ExportFilter()))

    assert faults_of([*lines, *following], key) == []
    assert sum(line["type"] == "event" for line in following) == 3


def test_every_changed_character_is_noticed(lines: list[Line], key: str) -> None:
    unseen = []
    for number, line in enumerate(lines):
        for changed in _changes(line):
            faults = faults_of([*lines[:number], changed, *lines[number + 1 :]], key)
            unseen += [] if faults else [changed]
    assert unseen == []


@pytest.mark.parametrize("change", ["removed", "twice", "swapped"])
def test_every_line_that_is_moved_is_noticed(lines: list[Line], key: str, change: str) -> None:
    unseen = []
    for number, line in enumerate(lines):
        after = lines[number + 1 :]
        if change == "swapped":
            changed = [*lines[:number], *after[:1], line, *after[1:]]
        else:
            changed = [*lines[:number], *([line] * 2 if change == "twice" else []), *after]
        if not faults_of(changed, key) and changed != lines and line["type"] not in STATEMENTS:
            unseen.append(line)
    assert unseen == []


def test_a_reader_that_stalls_holds_nothing_up(trail: Trail) -> None:
    trail.record("acct_a", times=3)
    stalled = trail.exporter.export(None, ExportFilter())
    first = next(stalled)
    trail.record("acct_a")
    trail.sealer.seal()
    trail.clock.advance(days=401)
    trail.cutter.cut()

    assert first["type"] == "export"
    assert trail.verifier.verify().ok


def _changes(line: Line) -> list[Line]:
    """Each way to change one value of a line."""
    changed = []

    def walk(value: object, put: Callable[[object], Line]) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, lambda other, name=name: put({**value, name: other}))  # type: ignore[misc]
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                walk(
                    inner,
                    lambda other, place=place: put(  # type: ignore[misc]
                        [*value[:place], other, *value[place + 1 :]]
                    ),
                )
        elif isinstance(value, int):
            changed.append(put(value + 1))
        elif isinstance(value, str):
            changed.append(put(value[:-1] + ("0" if value[-1:] != "0" else "1")))
        else:
            changed.append(put("x"))

    walk(line, lambda other: other)  # type: ignore[arg-type, return-value]
    return changed
