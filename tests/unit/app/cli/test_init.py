"""``strongroom init``: what it makes, and that it makes nothing twice."""

import os
import re
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.terminal import Terminal, faults
from tests.support.users import NOBODY, acting_as


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def variables(text: str) -> dict[str, str]:
    pairs = (line.removeprefix("export ").partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


@pytest.mark.sqlite
def test_only_the_owner_can_read_what_it_makes(bare: Terminal) -> None:
    before = os.umask(0)
    try:
        bare.answer("init")
    finally:
        os.umask(before)
    assert mode(bare.home) == 0o700
    assert {path.name: mode(path) for path in bare.home.iterdir() if mode(path) != 0o600} == {}
    assert {"keys", "strongroom.db", "client.env"} <= {path.name for path in bare.home.iterdir()}


def test_the_printed_client_variables_equal_those_of_the_file(bare: Terminal) -> None:
    printed = bare.run("init", STRONGROOM_BIND="127.0.0.1:9123").stdout
    assert all(line.startswith("export ") for line in printed.splitlines())
    filed = variables((bare.home / "client.env").read_text())
    assert variables(printed) == filed
    assert filed["RUNLOOP_BASE_URL"] == "http://127.0.0.1:9123"
    assert filed["RUNLOOP_API_KEY"].startswith("ak_")


def test_init_prints_the_fingerprint_of_the_system_key_once_and_check_always(
    bare: Terminal,
) -> None:
    told = bare.run("init").stderr
    (fingerprint,) = re.findall(
        r"STRONGROOM_SYSTEM_KEY_FINGERPRINT.* ([0-9a-f]{64})$", told, re.MULTILINE
    )
    assert f"system key fingerprint: {fingerprint}\n" in bare.answer("check")
    bare.environ["STRONGROOM_SYSTEM_KEY_FINGERPRINT"] = fingerprint
    assert bare.run("check").exit_code == 0


def test_another_fingerprint_is_a_fault_that_names_the_setting(terminal: Terminal) -> None:
    wrong = faults(terminal, STRONGROOM_SYSTEM_KEY_FINGERPRINT="0" * 64)
    assert wrong == ["STRONGROOM_SYSTEM_KEY_FINGERPRINT: the database holds another system key."]


def test_a_second_init_prints_and_changes_nothing(terminal: Terminal) -> None:
    before = {path.name: path.read_bytes() for path in terminal.home.iterdir()}
    again = terminal.run("init")
    assert (again.exit_code, again.output) == (0, "")
    assert {path.name: path.read_bytes() for path in terminal.home.iterdir()} == before


def test_the_api_key_is_not_made_again_when_the_operator_keeps_the_file_elsewhere(
    terminal: Terminal, account: str
) -> None:
    (terminal.home / "client.env").unlink()
    assert terminal.answer("init") == ""
    assert len(terminal.json("api-key", "list", account)) == 1


def test_a_new_port_changes_the_address_in_the_file_and_not_the_key(terminal: Terminal) -> None:
    before = variables((terminal.home / "client.env").read_text())
    terminal.run("init", STRONGROOM_BIND="127.0.0.1:9123")
    after = variables((terminal.home / "client.env").read_text())
    assert after == before | {"RUNLOOP_BASE_URL": "http://127.0.0.1:9123"}


def test_an_address_that_the_operator_wrote_stays(terminal: Terminal) -> None:
    file = terminal.home / "client.env"
    file.write_text("RUNLOOP_BASE_URL=https://secrets.example\nRUNLOOP_API_KEY=x\n")
    terminal.run("init", STRONGROOM_BIND="127.0.0.1:9123")
    assert file.read_text() == "RUNLOOP_BASE_URL=https://secrets.example\nRUNLOOP_API_KEY=x\n"


def test_a_key_file_that_is_there_is_used_and_never_overwritten(bare: Terminal) -> None:
    bare.home.mkdir(mode=0o700)
    keys = bare.home / "keys"
    keys.write_bytes(b"A" * 43 + b"=\n")
    keys.chmod(0o600)
    bare.answer("init")
    assert keys.read_bytes() == b"A" * 43 + b"=\n"


def test_no_key_is_made_where_a_database_exists(terminal: Terminal) -> None:
    (terminal.home / "keys").unlink()
    refused = terminal.run("init")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == "strongroom: STRONGROOM_KEYS (entry 1): the file cannot be read.\n"
    assert not (terminal.home / "keys").exists()


def test_no_key_file_is_made_for_a_provider_that_needs_none(bare: Terminal) -> None:
    refused = bare.run("init", STRONGROOM_KEYS="aws-kms:nothing local-fernet:" + str(bare.home))
    assert refused.exit_code == 3
    assert list(bare.home.iterdir()) == []


def test_a_home_that_others_can_read_is_refused(bare: Terminal) -> None:
    bare.home.mkdir()
    bare.home.chmod(0o755)
    refused = bare.run("init")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == "strongroom: STRONGROOM_HOME: the directory must be of mode 0700.\n"
    assert list(bare.home.iterdir()) == []


def test_a_home_that_cannot_be_made_is_refused(bare: Terminal) -> None:
    bare.home.write_text("")
    refused = bare.run("init")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("strongroom: STRONGROOM_HOME: ")


def test_an_existing_key_file_in_a_read_only_directory_is_used(terminal: Terminal) -> None:
    """The first ``init``, in a fixture, has imported what another user may be unable to read."""
    with TemporaryDirectory() as place:
        home, keys = Path(place) / "home", Path(place) / "keys"
        home.mkdir(mode=0o700)
        keys.write_bytes(b"A" * 43 + b"=\n")
        keys.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            os.chown(keys, NOBODY, NOBODY)
        Path(place).chmod(0o555)
        with acting_as(NOBODY):
            made = Terminal(home).run("init", STRONGROOM_KEYS=f"local-fernet:{keys}")
        assert made.exit_code == 0
        assert "key file" not in made.stderr
