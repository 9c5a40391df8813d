"""``strongroom keyring make-recovery-key`` and ``recover``."""

import errno
import json
import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.fernet import Fernet

from app.cli.recovery_files import read_private_half
from backends.errors import KeyProviderConfigError
from config.files import Files
from tests.support import databases
from tests.support.terminal import Terminal
from tests.unit.app.services.leaks import shown_of


@pytest.fixture
def offline(tmp_path: Path) -> Path:
    """The file of the private half."""
    return tmp_path / "private.json"


@pytest.fixture
def escrowed(terminal: Terminal, offline: Path) -> Terminal:
    """A deployment whose data keys are all wrapped by a recovery key."""
    public = terminal.home / "recovery.pub"
    terminal.answer(
        "keyring", "make-recovery-key", "--private", str(offline), "--public", str(public)
    )
    terminal.environ["STRONGROOM_ESCROW_KEYS"] = f"recovery:{public}"
    assert terminal.json("keyring", "rewrap")["changed"] == 1
    return terminal


@pytest.fixture
def destroyed(escrowed: Terminal) -> Terminal:
    """Only the database is left of it, and a new key file in place of the old one."""
    del escrowed.environ["STRONGROOM_ESCROW_KEYS"]
    (escrowed.home / "recovery.pub").unlink()
    (escrowed.home / "keys").write_bytes(Fernet.generate_key() + b"\n")
    return escrowed


def make(terminal: Terminal, private: Path, public: Path) -> Result:
    options = ("--private", str(private), "--public", str(public))
    return terminal.run("keyring", "make-recovery-key", *options)


def test_the_private_half_is_for_its_owner_alone(
    terminal: Terminal, offline: Path, tmp_path: Path
) -> None:
    made = make(terminal, offline, tmp_path / "public.json")
    assert made.exit_code == 0
    assert stat.S_IMODE(offline.stat().st_mode) == 0o600


def test_the_fingerprint_of_a_pair_is_printed_when_it_is_made_and_when_it_is_checked(
    terminal: Terminal, offline: Path, tmp_path: Path
) -> None:
    public = tmp_path / "public.json"
    fingerprint = make(terminal, offline, public).stdout.strip()
    checked = terminal.run("check", STRONGROOM_ESCROW_KEYS=f"recovery:{public}")
    assert f"STRONGROOM_ESCROW_KEYS (entry 1): {fingerprint}, escrow\n" in checked.stdout
    assert re.fullmatch("recovery:[0-9a-f]{32}", fingerprint)


@pytest.mark.parametrize("option", ["--private", "--public"])
def test_no_file_is_overwritten_and_no_half_pair_remains(
    option: str, terminal: Terminal, tmp_path: Path
) -> None:
    files = {"--private": tmp_path / "a", "--public": tmp_path / "b"}
    files[option].write_text("kept")
    refused = make(terminal, files["--private"], files["--public"])
    assert refused.exit_code == 2
    assert option in refused.stderr
    assert {each.name: each.read_text() for each in tmp_path.iterdir() if each.is_file()} == {
        files[option].name: "kept"
    }


def test_a_file_that_cannot_be_made_is_named_by_its_option(
    terminal: Terminal, tmp_path: Path
) -> None:
    refused = make(terminal, tmp_path / "none" / "a", tmp_path / "b")
    assert refused.exit_code == 2
    assert "--private: the file cannot be made (ENOENT)." in refused.stderr


def test_a_file_system_without_private_files_is_reported(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as Linux does on FAT

    monkeypatch.setattr(os, "link", refuse)
    refused = make(terminal, tmp_path / "a", tmp_path / "b")
    assert refused.exit_code == 2
    assert "--private: this file system, perhaps FAT on a USB stick," in refused.stderr
    assert [each for each in tmp_path.iterdir() if each.is_file()] == []


def test_everything_comes_back_with_the_private_half(destroyed: Terminal, offline: Path) -> None:
    assert destroyed.run("check").exit_code == 1
    recovered = destroyed.json("keyring", "recover", "--private", str(offline))
    assert recovered == {"data_keys": 1, "changed": 1, "failed": 0, "reasons": {}, "damaged": []}
    assert destroyed.json("check")["ok"]


def test_a_database_with_a_planted_row_is_refused_and_stays_as_it_was(
    destroyed: Terminal, offline: Path
) -> None:
    with destroyed.rows() as rows:
        rows.execute("UPDATE accounts SET devbox = 1 - devbox")
    before = databases.chosen.dump(destroyed.home)
    refused = destroyed.run("keyring", "recover", "--private", str(offline))
    assert refused.exit_code == 5
    assert re.fullmatch(
        "strongroom: These rows are not what this server wrote:\n"
        "strongroom: the row acct_[0-9A-Za-z]{22} of accounts\n"
        "strongroom: To recover all others and leave these as they are,"
        " run it with --skip-damaged.\n",
        refused.stderr,
    )
    assert databases.chosen.dump(destroyed.home) == before


def test_recover_with_skip_damaged_brings_the_other_rows_back(
    destroyed: Terminal, offline: Path
) -> None:
    with destroyed.rows() as rows:
        rows.execute("UPDATE accounts SET devbox = 1 - devbox")
        account = rows.one("accounts")["id"]
    recovered = destroyed.json("keyring", "recover", "--private", str(offline), "--skip-damaged")
    assert (recovered["changed"], recovered["failed"]) == (1, 0)
    assert recovered["damaged"] == [{"table": "accounts", "account_id": None, "id": account}]


def test_another_deployment_s_recovery_key_is_refused(destroyed: Terminal, tmp_path: Path) -> None:
    other = Terminal(tmp_path / "other")
    other.answer("init")
    private = tmp_path / "of-the-other"
    assert make(other, private, tmp_path / "public").exit_code == 0
    refused = destroyed.run("keyring", "recover", "--private", str(private))
    assert refused.exit_code == 5
    assert "another system data key" in refused.stderr


@pytest.mark.parametrize("fault", ["missing", "readable by others", "public half", "not JSON"])
def test_a_malformed_private_half_is_refused_without_its_text(
    fault: str, escrowed: Terminal, offline: Path
) -> None:
    if fault == "missing":
        offline.unlink()
    elif fault == "readable by others":
        offline.chmod(0o640)
    elif fault == "public half":
        offline.write_bytes((escrowed.home / "recovery.pub").read_bytes())
    else:
        offline.write_text(offline.read_text()[:-3])
    refused = escrowed.run("keyring", "recover", "--private", str(offline))
    assert refused.exit_code == 3
    assert refused.stderr.startswith("strongroom: --private: the file ")
    assert refused.stderr.count(os.linesep) == 1


@pytest.mark.parametrize("text", ["not JSON", "cut short", "of another pair"])
def test_an_error_about_the_private_half_contains_none_of_it(
    text: str, escrowed: Terminal, offline: Path
) -> None:
    whole = offline.read_text()
    seeds = json.loads(whole)["seeds"]
    offline.write_text(
        {
            "not JSON": whole[:-3],
            "cut short": whole.replace(seeds, seeds[:-8]),
            "of another pair": whole.replace(json.loads(whole)["key_ref"], "recovery:other"),
        }[text]
    )
    with pytest.raises(KeyProviderConfigError) as caught:
        read_private_half(offline, Files())
    assert seeds[:40] not in shown_of(caught.value)
