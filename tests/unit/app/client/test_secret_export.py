"""``strongroom secret export``: values for programs that read files, and for no terminal."""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import SECRETS, Secret
from tests.unit.app.client.protocol_server import ProtocolServer
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

GREETING = ("--secret", "GREETING")


@contextmanager
def on_terminal(
    environment: dict[str, str], place: Path, *arguments: str
) -> Iterator[PseudoTerminal]:
    command = ["strongroom", "secret", "export", *GREETING, *arguments]
    with PseudoTerminal(command, environment, place) as terminal:
        yield terminal


def paths(server: ProtocolServer) -> list[str]:
    return [exchange.path for exchange in server.exchanges]


def test_a_pipe_gets_the_values(secret: Secret, server: ProtocolServer) -> None:
    result = secret("export", "--all", "--format", "json")
    assert (result.returncode, json.loads(result.stdout), result.stderr) == (0, SECRETS, b"")
    assert paths(server) == ["/v1/secrets", "/v1/injections", "/v1/injections/redeem"]


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("dotenv", b"HI='canary-hello'\n"),
        ("docker", b"HI=canary-hello\n"),
        ("shell", b"export HI=canary-hello\n"),
        ("json", b'{"HI": "canary-hello"}'),
    ],
)
def test_every_format_of_redeem_is_written(secret: Secret, form: str, printed: bytes) -> None:
    assert secret("export", "--secret", "HI=GREETING", "--format", form).stdout == printed


def test_dotenv_is_the_format_unless_another_is_chosen(secret: Secret) -> None:
    assert secret("export", *GREETING).stdout == b"GREETING='canary-hello'\n"


def test_a_file_of_entries_chooses_as_for_run(secret: Secret, tmp_path: Path) -> None:
    Path(tmp_path, "map").write_text("# one\nHI=GREETING\n")
    assert secret("export", "--from", "map").stdout == b"HI='canary-hello'\n"


def test_a_file_has_mode_0600_and_is_replaced(secret: Secret, memory: Path) -> None:
    file = memory / "values"
    file.write_text("before")
    file.chmod(0o644)
    result = secret("export", *GREETING, "--file", str(file))
    assert (result.returncode, result.stdout) == (0, b"")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (
        "GREETING='canary-hello'\n",
        0o600,
    )
    assert list(memory.iterdir()) == [file]


def test_credentials_of_systemd_are_a_directory(secret: Secret, memory: Path) -> None:
    form = ("--format", "systemd-credentials")
    assert secret("export", "--all", *form, "--file", str(memory / "made")).returncode == 0
    assert {each.name: each.read_text() for each in Path(memory, "made").iterdir()} == SECRETS


@pytest.mark.on_disk
def test_a_disk_is_refused_before_the_server_is_asked(
    secret: Secret, server: ProtocolServer, tmp_path: Path
) -> None:
    result = secret("export", *GREETING, "--file", "values")
    assert (result.returncode, b"--file" in result.stderr) == (125, True)
    assert b"--allow-disk" in result.stderr
    assert (server.exchanges, list(tmp_path.glob("values"))) == ([], [])


def test_allow_disk_permits_a_disk(secret: Secret, tmp_path: Path) -> None:
    done = secret("export", *GREETING, "--file", "values", "--allow-disk")
    assert (done.returncode, done.stderr) == (0, b"strongroom secret export: values has 1 value\n")
    assert Path(tmp_path, "values").read_text() == "GREETING='canary-hello'\n"


def test_a_link_is_not_followed(secret: Secret, memory: Path) -> None:
    Path(memory, "link").symlink_to(memory / "target")
    result = secret("export", *GREETING, "--file", str(memory / "link"))
    assert (result.returncode, Path(memory, "target").exists()) == (125, False)


@pytest.mark.on_disk
@pytest.mark.parametrize(("allowed", "code"), [((), 125), (("--allow-disk",), 0)])
def test_standard_output_is_a_file_on_a_disk_only_if_allowed(
    environment: dict[str, str], tmp_path: Path, allowed: tuple[str, ...], code: int
) -> None:
    with Path(tmp_path, "values").open("wb") as file:
        ended = subprocess.run(
            ["strongroom", "secret", "export", *GREETING, *allowed],
            env=environment,
            stdout=file,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert ended.returncode == code
    assert (Path(tmp_path, "values").read_bytes() != b"") == (code == 0)


def test_a_terminal_is_refused_before_the_server_is_asked(
    environment: dict[str, str], server: ProtocolServer, tmp_path: Path
) -> None:
    with on_terminal(environment, tmp_path) as terminal:
        assert "--show" in terminal.rest()
        assert terminal.wait() == 125
    assert server.exchanges == []


def test_show_permits_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    with on_terminal(environment, tmp_path, "--show") as terminal:
        assert terminal.rest() == "GREETING='canary-hello'\r\n"


def test_a_value_that_the_format_would_change_is_refused_by_its_name(
    secret: Secret, server: ProtocolServer, memory: Path
) -> None:
    server.secrets["LINES"] = "canary\none\n"
    file = memory / "values"
    result = secret("export", "--all", "--format", "docker", "--file", str(file))
    assert (result.returncode, file.exists(), result.stdout) == (125, False, b"")
    assert b"LINES" in result.stderr
    assert b"canary" not in result.stderr


def test_all_faults_are_named_at_once(secret: Secret, server: ProtocolServer) -> None:
    form = ("--format", "systemd-credentials")
    result = secret("export", "--secret", "LD_PRELOAD=GREETING", *form, RUNLOOP_API_KEY="")
    named = [b"LD_PRELOAD", b"--file", b"RUNLOOP_API_KEY"]
    assert (result.returncode, [each for each in named if each not in result.stderr]) == (125, [])
    assert server.exchanges == []


def test_a_name_that_controls_programs_can_be_permitted(secret: Secret) -> None:
    result = secret("export", "--allow-name", "LD_PRELOAD", "--secret", "LD_PRELOAD=GREETING")
    assert result.stdout == b"LD_PRELOAD='canary-hello'\n"


def test_choosing_nothing_is_refused(secret: Secret) -> None:
    assert secret("export").returncode == 125


def test_a_full_disk_is_reported(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            ["strongroom", "secret", "export", *GREETING],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, b"standard output" in ended.stderr) == (125, True)


def test_a_reader_that_is_gone_is_no_fault_to_report(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        ["strongroom", "secret", "export", *GREETING],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_other_variables_than_asked_for_write_nothing(
    secret: Secret, server: ProtocolServer
) -> None:
    planted = {"environment": {"GREETING": "canary", "EXTRA": "canary"}}
    server.troubles += [lambda _, proceed: proceed(), lambda _, __: (200, planted, {})]
    result = secret("export", *GREETING)
    assert (result.returncode, result.stdout, b"canary" in result.stderr) == (124, b"", False)
