"""``strongroom audit`` lists, proves and exports the audit trail of a deployment."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.bootstrap import build
from app.client.offline import verify_audit
from config import load
from tests.support import databases
from tests.support.deployment import with_key
from tests.support.programs import python_3_9
from tests.support.terminal import Terminal

HERE = Path(verify_audit.__file__)


@pytest.fixture
def heads(terminal: Terminal, tmp_path: Path) -> Path:
    """A file with the newest head."""
    file = tmp_path / "heads"
    file.write_text(terminal.answer("audit", "head"), encoding="utf-8")
    return file


@pytest.fixture
def key(terminal: Terminal) -> str:
    return terminal.answer("audit", "head", "--key").strip()


@pytest.fixture
def export(terminal: Terminal, tmp_path: Path) -> Path:
    """A file with everything."""
    file = tmp_path / "export"
    terminal.answer("audit", "export", str(file))
    return file


def test_the_operators_records_are_listed_newest_first(terminal: Terminal) -> None:
    actions = [event["action"] for event in terminal.json("audit", "list")]

    assert actions[-1] == "deployment.created"


def test_the_records_of_an_account_are_selected(terminal: Terminal, account: str) -> None:
    issued = terminal.json("api-key", "create", account)["id"]

    made = terminal.json("audit", "list", account, "--action", "api_key.created")

    assert made[0]["subjects"] == issued
    assert terminal.json("audit", "list", account, "--until", "2020-01-01") == []


def test_a_secret_that_is_gone_is_found_by_its_name(terminal: Terminal, account: str) -> None:
    with closing(build(load(terminal.environ))) as services:
        tenant = with_key(services, account)
        tenant.create("DB_PASS")
        tenant.create("OTHER")
        tenant.delete("DB_PASS")

    found = terminal.json("audit", "list", account, "--secret", "DB_PASS")

    assert [event["action"] for event in found] == ["secret.deleted", "secret.created"]
    assert terminal.json("audit", "list", account, "--secret", "NEVER_THERE") == []


def test_a_trail_that_nobody_changed_is_all_right(terminal: Terminal, heads: Path) -> None:
    verified = terminal.json("audit", "verify", "--against", str(heads))

    assert (verified["ok"], verified["faults"]) == (True, [])


def test_a_changed_record_ends_the_verification_with_exit_code_5(terminal: Terminal) -> None:
    with databases.chosen.rows(terminal.home) as rows:
        rows.edit("audit_events", {"action": "deployment.created"}, actor="nobody")

    result = terminal.run("audit", "verify")

    assert result.exit_code == 5
    assert "audit_events" in result.stderr


def test_heads_are_found_in_lines_of_the_log(terminal: Terminal, heads: Path) -> None:
    note = heads.read_text(encoding="utf-8")
    lines = [{"event": "started"}, {"event": "audit_head", "detail": note}]
    heads.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    assert terminal.json("audit", "verify", "--against", str(heads))["heads"] >= 2


def test_a_loss_that_did_not_happen_is_not_accepted(terminal: Terminal, heads: Path) -> None:
    result = terminal.run("audit", "accept-loss", "--head", str(heads))

    assert result.exit_code == 1
    assert "nothing is lost" in result.stderr


def test_a_young_trail_is_not_cut(terminal: Terminal) -> None:
    assert terminal.json("audit", "cut")["blocks"] == 0


def test_an_export_is_verified_by_one_file_alone(heads: Path, key: str, export: Path) -> None:
    command = [sys.executable, "-I", str(HERE), str(export), "--key", key, "--heads", str(heads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "right" in done.stdout


def test_the_file_runs_on_python_3_9(key: str, export: Path, tmp_path: Path) -> None:
    """Signatures are those of a package that this Python may not have: here all are right."""
    ed25519 = tmp_path / "cryptography" / "hazmat" / "primitives" / "asymmetric" / "ed25519.py"
    ed25519.parent.mkdir(parents=True)
    ed25519.write_text(
        "class Ed25519PublicKey:\n"
        "    from_public_bytes = classmethod(lambda cls, raw: cls())\n"
        "    def verify(self, signature, text): pass\n"
    )
    (tmp_path / "cryptography" / "exceptions.py").write_text(
        "class InvalidSignature(Exception): pass\n"
    )
    command = [python_3_9(), str(HERE), str(export), "--key", key]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_export_that_was_changed_is_refused(key: str, export: Path) -> None:
    text = export.read_text(encoding="utf-8")
    export.write_text(text.replace("deployment.created", "deployment.changed"), encoding="utf-8")

    assert verify_audit.main([str(export), "--key", key]) == 1


@pytest.mark.sqlite
def test_a_restore_explains_the_heads_of_what_it_replaced(
    terminal: Terminal, account: str, tmp_path: Path
) -> None:
    backup, kept = tmp_path / "backup", tmp_path / "heads"
    terminal.answer("audit", "head")
    terminal.answer("backup", str(backup))
    terminal.answer("api-key", "create", account)
    kept.write_text(terminal.answer("audit", "head"), encoding="utf-8")
    terminal.answer("restore", str(backup), "--replace")

    verified = terminal.json("audit", "verify", "--against", str(kept))

    assert verified["faults"] == []
    assert "explained by aud_" in verified["explained"][0]
