"""``strongroom check``: what it refuses."""

from pathlib import Path

from tests.operator.conftest import Terminal, faults

CANARY = "canary-77ab"


def test_a_deployment_that_init_has_made_passes(terminal: Terminal) -> None:
    assert terminal.json("check") == {"ok": True, "faults": []}


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
