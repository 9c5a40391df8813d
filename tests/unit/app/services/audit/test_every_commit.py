"""No unit of work commits without a record, unless it is one of those that need none.

This follows from the code: every commit goes through the trail, which asks for a record or for the
reason why there is none.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.domain.audit.actions import Action, Outcome
from app.services.audit.trail import Unrecorded

ROOT = Path(__file__).parents[5]
TRAIL = "app/services/audit/trail.py"

EXEMPT = {
    Unrecorded.HEARTBEAT: {"app/services/upkeep/heartbeats.py": 2},
    Unrecorded.LEASE: {
        "app/services/audit/started_settings.py": 1,
        "app/services/upkeep/sweep.py": 2,
    },
    Unrecorded.COUNTS: {"app/services/upkeep/sweep.py": 1},
    Unrecorded.END_OF_USE: {"app/services/gateways/uses.py": 1},
    Unrecorded.CUTTING: {"app/services/audit/cutting.py": 3},
    Unrecorded.SEALING: {"app/services/audit/sealing.py": 1},
    Unrecorded.NO_KEY: {"app/services/gateways/switch.py": 1},
    Unrecorded.NOTHING_CHANGED: {
        "app/services/gateways/switch.py": 1,
        "app/services/idempotency.py": 1,
        "app/services/rotation/new_wrappings.py": 1,
        "app/services/rotation/retire.py": 1,
        "app/services/upkeep/sweep.py": 1,
    },
}
"""Where each reason is given, and how often. Add a place only if its reason holds there."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """All modules that can reach a unit of work, but for the repository that makes them."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("app/repository/"):
            yield name, ast.parse(path.read_text())


def calls(tree: ast.AST, method: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr == method:
                yield node


def members_of(tree: ast.AST, enumeration: str) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=member, value=ast.Name(id=name)) if name == enumeration:
                yield member


def test_only_the_trail_commits_a_unit_of_work() -> None:
    # A unit of work is committed without arguments, and each other commit has some.
    committing = {
        name for name, tree in modules() for call in calls(tree, "commit") if not call.args
    }
    assert committing == {TRAIL}


def test_no_module_takes_the_commit_of_a_unit_of_work_to_call_it_later() -> None:
    for name, tree in modules():
        called = {id(call.func) for call in calls(tree, "commit")}
        taken = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "commit" and id(node) not in called
        ]
        assert taken == [], name


def test_what_needs_no_record_is_named_with_its_reason() -> None:
    found = {reason: Counter[str]() for reason in Unrecorded}
    for name, tree in modules():
        for member in members_of(tree, "Unrecorded"):
            found[Unrecorded[member]][name] += 1
    assert found == EXEMPT


def test_each_exemption_is_written_where_the_unit_of_work_is_committed() -> None:
    for name, tree in modules():
        reasons = [call.args[-1] for call in calls(tree, "commit_unrecorded")]
        assert all(isinstance(reason, ast.Attribute) for reason in reasons), name
        assert len(reasons) == len([*members_of(tree, "Unrecorded")]), name


def test_every_action_and_outcome_is_recorded_somewhere() -> None:
    recorded = {
        enumeration: {
            member
            for name, tree in modules()
            if name != "app/domain/audit/actions.py"
            for member in members_of(tree, enumeration)
        }
        for enumeration in ("Action", "Outcome")
    }
    assert recorded == {"Action": {*Action.__members__}, "Outcome": {*Outcome.__members__}}
