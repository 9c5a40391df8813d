"""``strongroom keyring``: moving a deployment from root key to root key as an operator does."""

import json
import re
from contextlib import closing
from unittest.mock import patch

import pytest
from cryptography.fernet import Fernet

from app.bootstrap import build
from app.cli.errors import INCOMPLETE
from app.services.keys.failure_reasons import FailureReason
from app.services.rotation.progress import Progress
from app.services.rotation.rewrap import Rewrap
from config import load
from tests.support.deployment import new_tenant
from tests.support.terminal import Terminal


@pytest.fixture
def moving(terminal: Terminal) -> Terminal:
    """The key file of the start is second now, after a new one."""
    new = terminal.home / "new-keys"
    new.write_bytes(Fernet.generate_key() + b"\n")
    new.chmod(0o600)
    uris = f"local-fernet:{new} local-fernet:{terminal.home / 'keys'}"
    terminal.environ["STRONGROOM_KEYS"] = uris
    return terminal


def key_refs(terminal: Terminal) -> dict[str, str]:
    """Every key_ref that has wrappings, by its state."""
    return {
        each["state"]: each["key_ref"] for each in terminal.json("keyring", "status")["key_refs"]
    }


def test_status_counts_the_wrappings_of_each_key_ref(moving: Terminal) -> None:
    status = moving.json("keyring", "status")
    assert status["data_keys"] == 1
    assert status["unreadable_data_keys"] == 0
    first, second = status["providers"]
    assert (first["role"], first["healthy"], first["data_keys_without"]) == ("wraps", True, 1)
    assert (second["role"], second["scheme"]) == ("unwraps", "local-fernet")
    (line,) = status["key_refs"]
    assert (line["key_ref"], line["state"]) == (second["key_ref"], "stale")


def test_the_table_of_status_says_the_same(moving: Terminal) -> None:
    told = moving.answer("keyring", "status")
    assert "1 data keys, 0 that no listed provider opens." in told
    assert key_refs(moving)["stale"] in told


def test_a_dry_run_counts_and_changes_nothing(moving: Terminal) -> None:
    counted = moving.json("keyring", "rewrap", "--dry-run")
    assert counted == {"data_keys": 1, "changed": 1, "failed": 0, "reasons": {}, "damaged": []}
    assert set(key_refs(moving)) == {"stale"}


def test_a_dry_run_is_reported_as_one(moving: Terminal) -> None:
    assert moving.answer("keyring", "rewrap", "--dry-run") == "1 of 1 data keys would change.\n"
    told = moving.answer("keyring", "reencrypt", "--dry-run")
    assert told == "0 of 0 data keys would change.\n"


def test_a_dry_run_with_failures_ends_with_6(
    moving: Terminal,
) -> None:
    with closing(build(load(moving.environ))) as services:
        new_tenant(services).create("NAME")
    with moving.rows() as rows:
        rows.execute("UPDATE data_keys SET created_at_ms = 1 WHERE account_id != '_system'")
    result = moving.run("keyring", "reencrypt", "--dry-run")
    assert (result.exit_code, result.stdout) == (INCOMPLETE, "0 of 1 data keys would change.\n")
    assert "1 data keys would fail and stay as they were: row_edited 1." in result.stderr
    assert re.search(r"damaged: the row dk_\w+ of data_keys \(account acct_\w+\)\n", result.stderr)


def test_a_move_is_rewrap_retire_and_remove(moving: Terminal) -> None:
    moving.answer("keyring", "rewrap", "--rate", "100")
    moving.answer("keyring", "retire", key_refs(moving)["stale"])
    moving.environ["STRONGROOM_KEYS"] = moving.environ["STRONGROOM_KEYS"].split()[0]
    (moving.home / "keys").unlink()
    assert moving.json("check")["ok"]


def test_progress_goes_to_standard_error(moving: Terminal) -> None:
    result = moving.run("keyring", "rewrap")
    assert result.stdout == "1 of 1 data keys changed.\n"
    assert result.stderr == "strongroom: 1 of 1 data keys done; about 0 s remaining.\n"


def test_failed_data_keys_are_reported_and_end_with_6(
    moving: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = {FailureReason.KEY_UNREADABLE: 1, FailureReason.KEY_UNAVAILABLE: 2}
    partly = Progress(done=5, position=5, total=5, changed=2, reasons=reasons, seconds_remaining=0)
    monkeypatch.setattr(Rewrap, "run", lambda *_, **__: partly)
    result = moving.run("keyring", "rewrap", "--json")
    assert result.exit_code == INCOMPLETE
    answer = json.loads(result.stdout)
    assert (answer["failed"], answer["reasons"]) == (3, {"key_unreadable": 1, "key_unavailable": 2})
    assert result.stderr == (
        "strongroom: 3 data keys failed and stay as they were: key_unavailable 2, "
        "key_unreadable 1.\n"
    )


def test_reencrypt_replaces_every_older_data_key(terminal: Terminal) -> None:
    assert terminal.json("keyring", "reencrypt") == {
        "data_keys": 0,
        "changed": 0,
        "failed": 0,
        "reasons": {},
        "damaged": [],
    }


@pytest.fixture
def unfinished(terminal: Terminal) -> Terminal:
    """A re-encryption was stopped before it replaced the one data key of an account."""
    with closing(build(load(terminal.environ))) as services:
        tenant = new_tenant(services)
        tenant.create("NAME")
        stopped = patch.object(services.reencrypt, "_replace", side_effect=KeyboardInterrupt)
        with stopped, pytest.raises(KeyboardInterrupt):
            services.reencrypt.run(lambda _: None)
    return terminal


def test_reencrypt_names_the_job_that_it_resumes(unfinished: Terminal) -> None:
    result = unfinished.run("keyring", "reencrypt")
    assert result.exit_code == 0
    said = r"strongroom: resuming the job of 20\d\d-\d\d-\d\dT[\d:]{8}Z\. "
    assert re.match(said, result.stderr)
    assert "strongroom keyring reencrypt --restart" in result.stderr


def test_reencrypt_with_restart_begins_again(unfinished: Terminal) -> None:
    result = unfinished.run("keyring", "reencrypt", "--restart")
    assert result.stdout == "1 of 1 data keys changed.\n"
    assert "resuming" not in result.stderr


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "nan", "inf"])
def test_a_malformed_rate_is_refused(rate: str, terminal: Terminal) -> None:
    refused = terminal.run("keyring", "rewrap", "--rate", rate)
    assert refused.exit_code == 2
    assert "--rate" in refused.stderr


def test_retiring_warns_about_older_backups(moving: Terminal) -> None:
    moving.answer("keyring", "rewrap")
    retired = moving.run("keyring", "retire", key_refs(moving)["stale"])
    assert retired.stdout == "1 wrappings deleted.\n"
    assert "backups" in retired.stderr


def test_a_dry_run_of_retire_counts_wrappings_and_deletes_none(moving: Terminal) -> None:
    moving.answer("keyring", "rewrap")
    before = key_refs(moving)
    told = moving.answer("keyring", "retire", before["stale"], "--dry-run")
    assert told == "1 wrappings would be deleted.\n"
    assert moving.json("keyring", "retire", before["stale"], "--dry-run") == {
        "wrappings": 1,
        "stranded_data_keys": 0,
        "blind_workers": 0,
    }
    assert key_refs(moving) == before


def test_a_dry_run_of_retire_counts_stranded_data_keys(moving: Terminal) -> None:
    old = key_refs(moving)["stale"]
    assert moving.json("keyring", "retire", old, "--dry-run") == {
        "wrappings": 1,
        "stranded_data_keys": 1,
        "blind_workers": 0,
    }
    assert "refused: 1 data keys" in moving.answer("keyring", "retire", old, "--dry-run")


@pytest.mark.parametrize("which", ["current", "none"])
def test_a_dry_run_refuses_what_retiring_refuses(moving: Terminal, which: str) -> None:
    moving.answer("keyring", "rewrap")
    key_ref = key_refs(moving).get(which, "local-fernet:none")
    refused = moving.run("keyring", "retire", key_ref, "--dry-run")
    assert refused.exit_code == 1
    assert refused.stderr == moving.run("keyring", "retire", key_ref).stderr


def test_a_retirement_is_not_undone_in_a_dry_run(moving: Terminal) -> None:
    old = key_refs(moving)["stale"]
    assert moving.run("keyring", "retire", old, "--undo", "--dry-run").exit_code == 2


def test_retiring_a_root_key_that_data_keys_need_is_refused(moving: Terminal) -> None:
    refused = moving.run("keyring", "retire", key_refs(moving)["stale"])
    assert refused.exit_code == 1
    assert "strongroom keyring rewrap" in refused.stderr
    assert moving.json("keyring", "rewrap")["failed"] == 0


def test_retiring_the_current_root_key_is_refused_with_the_order_of_steps(
    moving: Terminal,
) -> None:
    moving.answer("keyring", "rewrap")
    refused = moving.run("keyring", "retire", key_refs(moving)["current"])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("strongroom: STRONGROOM_KEYS (entry 1): ")
    assert "strongroom keyring rewrap" in refused.stderr


def test_retiring_an_unknown_key_ref_is_refused(terminal: Terminal) -> None:
    refused = terminal.run("keyring", "retire", "local-fernet:none")
    assert refused.exit_code == 1
    assert "strongroom keyring status" in refused.stderr


def test_a_retirement_is_undone(moving: Terminal) -> None:
    old = key_refs(moving)["stale"]
    moving.answer("keyring", "rewrap")
    moving.answer("keyring", "retire", old)
    moving.environ["STRONGROOM_KEYS"] = " ".join(
        reversed(moving.environ["STRONGROOM_KEYS"].split())
    )
    refused = moving.run("keyring", "rewrap")
    assert refused.exit_code == 3
    assert "STRONGROOM_KEYS" in refused.stderr
    assert moving.answer("keyring", "retire", "--undo", old) == "The fence is lifted.\n"
    assert moving.json("keyring", "rewrap")["changed"] == 1


def test_undoing_without_a_retirement_is_refused(moving: Terminal) -> None:
    refused = moving.run("keyring", "retire", "--undo", key_refs(moving)["stale"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        "strongroom: This key_ref is not fenced; see: strongroom keyring status\n"
    )


def test_status_still_lists_a_retired_key(moving: Terminal) -> None:
    old = key_refs(moving)["stale"]
    moving.answer("keyring", "rewrap")
    moving.answer("keyring", "retire", old)
    assert key_refs(moving)["fenced"] == old
    assert f"fenced   0          {old}\n" in moving.answer("keyring", "status")
    assert moving.json("keyring", "retire", "--undo", old) == {"fenced": False}


def history(terminal: Terminal) -> list[tuple[str, int]]:
    """What was done about root keys, newest first: the action, and how many wrappings."""
    return [(each["action"], each["count"]) for each in terminal.json("keyring", "history")]


def test_the_history_lists_a_rewrap_and_a_retirement(moving: Terminal) -> None:
    stale = key_refs(moving)["stale"]
    moving.answer("keyring", "rewrap")
    moving.answer("keyring", "retire", stale)
    assert history(moving) == [
        ("keyring.retired", 1),
        ("keyring.fenced", 0),
        ("keyring.rewrapped", 1),
    ]


def test_the_history_names_old_and_new_root_key_and_the_operator(moving: Terminal) -> None:
    stale = key_refs(moving)["stale"]
    moving.answer("keyring", "rewrap")
    (step,) = moving.json("keyring", "history")
    assert step["to"] == key_refs(moving)["current"]
    assert stale not in step["to"]
    assert step["actor"].startswith("operator:")


def test_the_history_shows_the_batches_of_one_run_as_one_step(moving: Terminal) -> None:
    with closing(build(load(moving.environ))) as services:
        for _ in range(3):
            new_tenant(services).create("NAME")
    with patch("app.services.keys.sweep.BATCH", 1):
        moving.answer("keyring", "rewrap")
    assert len(history(moving)) == 1


def test_a_deployment_that_never_rotated_has_no_history(terminal: Terminal) -> None:
    assert history(terminal) == []
