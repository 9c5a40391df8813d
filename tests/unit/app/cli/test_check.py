"""``strongroom check``: what it looks at, warns of and refuses."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from config.file_system import FileSystem
from tests.support.ports import free_port
from tests.support.terminal import Terminal, faults

pytestmark = pytest.mark.sqlite  # tests/unit/app/repository/postgresql has those of PostgreSQL

CANARY = "canary-77ab"


@pytest.mark.on_disk
def test_a_deployment_that_init_has_made_passes(terminal: Terminal) -> None:
    answer = terminal.json("check")
    assert (answer["ok"], answer["faults"], answer["warnings"]) == (True, [], [])


def test_facts_are_printed_without_possible_passwords(terminal: Terminal) -> None:
    address = f"sqlite:///{terminal.home}/strongroom.db"
    answer = json.loads(terminal.run("check", "--json", STRONGROOM_DATABASE_URL=address).stdout)
    told = {each["subject"]: each["facts"] for each in answer["looked_at"]}
    assert told["STRONGROOM_WORKERS"] == "2 (default)"
    assert told["STRONGROOM_DATABASE_URL"] == "not shown (environment)"
    assert told["STRONGROOM_KEYS"] == "1 listed (default)"
    assert told["STRONGROOM_KEYS (entry 1)"].startswith("local-fernet:")
    assert told["database"].startswith(f"{terminal.home}/strongroom.db, SQLite ")
    assert told["system data key"].endswith(", opened")


def test_the_table_says_the_same_as_json(terminal: Terminal) -> None:
    subjects = [each["subject"] for each in terminal.json("check")["looked_at"]]
    lines = terminal.answer("check").splitlines()
    assert [line[: len(name) + 2] for line, name in zip(lines, subjects, strict=True)] == [
        f"{name}: " for name in subjects
    ]


def test_connections_are_ignored_without_a_server_to_connect_to(terminal: Terminal) -> None:
    checked = terminal.run("check", STRONGROOM_DATABASE_CONNECTIONS="9")
    assert checked.exit_code == 0
    assert "warning: STRONGROOM_DATABASE_CONNECTIONS: it is ignored" in checked.stderr


def test_a_wrong_setting_hides_no_fault_elsewhere(terminal: Terminal) -> None:
    (terminal.home / "strongroom.db").chmod(0o644)
    told = faults(terminal, PORT="99999", STRONGROOM_KEYS="foo")
    named = {fault.partition(":")[0] for fault in told}
    assert named == {"PORT", "STRONGROOM_KEYS (entry 1)", "STRONGROOM_DATABASE_URL"}


def test_files_of_a_faulty_home_are_not_searched_elsewhere(terminal: Terminal) -> None:
    told = faults(terminal, STRONGROOM_HOME="what?")
    assert [fault.partition(":")[0] for fault in told] == ["STRONGROOM_HOME"]


def test_providers_are_asked_although_the_database_has_no_address(terminal: Terminal) -> None:
    unreachable = f"vault-transit:http://127.0.0.1:{free_port()}/transit/key"
    token = terminal.home / "token"
    token.write_text("a-token")
    token.chmod(0o600)
    keys = f"{unreachable}?token_file={token}"
    told = faults(terminal, STRONGROOM_DATABASE_URL="x", STRONGROOM_KEYS=keys)
    assert len([fault for fault in told if fault.startswith("STRONGROOM_KEYS (entry 1): ")]) == 1


@pytest.mark.on_disk
def test_a_second_provider_that_is_out_of_reach_is_a_warning(terminal: Terminal) -> None:
    token = terminal.home / "token"
    token.write_text("a-token")
    token.chmod(0o600)
    unreachable = f"vault-transit:http://127.0.0.1:{free_port()}/transit/key?token_file={token}"
    keys = f"local-fernet:{terminal.home}/keys {unreachable}"
    checked = terminal.run("check", "--json", STRONGROOM_KEYS=keys)
    (warning,) = json.loads(checked.stdout)["warnings"]
    assert warning.startswith("STRONGROOM_KEYS (entry 2): ")
    assert (checked.exit_code, checked.stderr) == (0, f"strongroom: warning: {warning}\n")


def test_everything_that_is_missing_is_named_at_once(bare: Terminal) -> None:
    told = "\n".join(faults(bare))
    assert "STRONGROOM_KEYS (entry 1): " in told
    assert "STRONGROOM_DATABASE_URL: " in told


def test_every_setting_that_is_wrong_is_named_and_no_value_is(terminal: Terminal) -> None:
    told = faults(terminal, PORT=CANARY, STRONGROOM_LOG_LEVEL=CANARY, STRONGROOM_TYPO=CANARY)
    named = {fault.partition(":")[0] for fault in told}
    assert named == {"PORT", "STRONGROOM_LOG_LEVEL", "STRONGROOM_TYPO"}
    assert CANARY not in "".join(told)


def test_an_address_that_is_no_database_is_named(terminal: Terminal) -> None:
    (fault,) = faults(terminal, STRONGROOM_DATABASE_URL=f"mysql://{CANARY}@localhost/x")
    assert fault.startswith("STRONGROOM_DATABASE_URL")
    assert CANARY not in fault


def test_a_bad_address_does_not_hide_a_bad_keyring(terminal: Terminal) -> None:
    told = faults(terminal, STRONGROOM_DATABASE_URL="x", STRONGROOM_KEYS="x")
    assert {fault[:15] for fault in told} == {"STRONGROOM_KEYS", "STRONGROOM_DATA"}


def test_a_key_that_does_not_open_the_system_key_is_refused(
    terminal: Terminal, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"A" * 43 + b"=\n")
    other.chmod(0o600)
    told = faults(terminal, STRONGROOM_KEYS=f"local-fernet:{other}")
    assert any("the system data key does not open" in fault for fault in told)


def test_a_key_file_that_others_can_read_is_refused(terminal: Terminal) -> None:
    (terminal.home / "keys").chmod(0o640)
    assert faults(terminal) == ["STRONGROOM_KEYS (entry 1): the file must be of mode 0600."]


def test_a_database_that_others_can_read_is_refused(terminal: Terminal) -> None:
    (terminal.home / "strongroom.db").chmod(0o644)
    (fault,) = faults(terminal)
    assert fault.startswith("STRONGROOM_DATABASE_URL: ")


def test_a_build_that_lacks_a_cipher_is_named_and_nothing_else_is_looked_at(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnsupportedAlgorithm("not in this mode")

    monkeypatch.setattr("app.cli.machine.seal", refuse)
    assert faults(terminal, PORT="0") == [
        "PORT: must be a whole number from 1 to 65535.",
        "cryptography: this build of OpenSSL lacks AES-256-GCM, HKDF or SHA-512.",
    ]


def test_memory_for_fewer_workers_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.host.memory_limit", lambda: 64 << 20)
    (told,) = faults(terminal)
    assert told.startswith("memory: 64 MiB are allowed, and the server needs 132 MiB to start")


@pytest.mark.on_disk
def test_memory_that_a_busy_server_exceeds_is_a_warning(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.host.memory_limit", lambda: 200 << 20)
    (warning,) = terminal.json("check")["warnings"]
    assert warning.startswith("memory: 200 MiB are allowed, and the server takes 244 MiB")


def test_a_volume_that_kubernetes_gave_to_a_group_is_refused_with_the_setting_of_the_pod(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to a group of its own")
    os.chown(terminal.home, 0, 4711)
    terminal.home.chmod(0o2770)
    monkeypatch.setattr(os, "getgroups", lambda: [0, 4711])
    assert "fsGroupChangePolicy: OnRootMismatch" in "".join(faults(terminal))
    assert "fsGroupChangePolicy: OnRootMismatch" in terminal.run("init").stderr


@pytest.mark.on_disk
def test_overriding_the_shipped_configuration_is_a_warning(
    terminal: Terminal,
) -> None:
    checked = terminal.run("check", "--json", GUNICORN_CMD_ARGS="--bind=0.0.0.0:80")
    (told,) = json.loads(checked.stdout)["warnings"]
    assert told.startswith("GUNICORN_CMD_ARGS: ")


def test_a_file_system_without_modes_is_distinguished_from_a_wrong_mode(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.directories.file_system_of", lambda _: FileSystem.FAT)
    terminal.home.chmod(0o755)
    assert "this file system may keep no modes" in "".join(faults(terminal))
    assert "this file system may keep no modes" in terminal.run("init").stderr


def test_terminal_control_characters_are_not_printed(terminal: Terminal, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[2Jb\nc"
    checked = terminal.run("check", STRONGROOM_HOME=str(odd))
    assert "\x1b" not in checked.stdout
    assert f"STRONGROOM_HOME: {tmp_path}/a?[2Jb?c (environment)\n" in checked.stdout


def test_a_setting_is_shown_as_it_is_written(terminal: Terminal) -> None:
    shown = {each["subject"]: each["facts"] for each in terminal.json("check")["looked_at"]}
    assert shown["STRONGROOM_TLS_IN_FRONT"] == "0 (default)"
    assert shown["STRONGROOM_SYSTEM_KEY_FINGERPRINT"] == "not set (default)"


def test_a_port_that_another_program_has_is_named_with_the_setting_to_change(
    terminal: Terminal,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        (told,) = faults(terminal, STRONGROOM_BIND=address)
    assert told.startswith(f"STRONGROOM_BIND: another program listens on {address}; ")


def test_before_the_first_start_all_is_well(bare: Terminal) -> None:
    assert bare.run("check", "--before-start").exit_code == 0


def test_before_the_first_start_every_wrong_setting_is_named_at_once(bare: Terminal) -> None:
    keys = f"local-fernet:{bare.home}/keys foo"
    refused = bare.run(
        "check",
        "--before-start",
        PORT="0",
        STRONGROOM_LOG_FORMAT="x",
        STRONGROOM_KEYS=keys,
        STRONGROOM_DATABASE_URL="x",
    )
    assert refused.exit_code == 1
    assert set(re.findall("(?m)^strongroom: ([A-Z_]+(?: .entry .[)])?)", refused.stderr)) == {
        "PORT",
        "STRONGROOM_LOG_FORMAT",
        "STRONGROOM_DATABASE_URL",
        "STRONGROOM_KEYS (entry 2)",
    }


def test_a_missing_key_file_is_a_fault_before_the_start_of_a_deployment(
    terminal: Terminal,
) -> None:
    (terminal.home / "keys").unlink()
    refused = terminal.run("check", "--before-start")
    assert refused.stderr == "strongroom: STRONGROOM_KEYS (entry 1): the file cannot be read.\n"
