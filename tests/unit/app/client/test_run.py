"""``strongroom run``: a command with the secrets that were chosen, or one message and nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.client.run import run as command
from tests.unit.app.client.conftest import Run
from tests.unit.app.client.protocol_server import (
    ProtocolServer,
    cut_off_after,
    refusal,
)

EITHER_WAY = pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])

SHOW = ("--", "sh", "-c", "env | grep -E 'canary|RUNLOOP|STRONGROOM' | sort")


@pytest.fixture(autouse=True)
def plain_password(server: ProtocolServer) -> None:
    server.secrets["DATABASE_PASSWORD"] = "canary-password"


def shown(result: object) -> list[str]:
    return str(getattr(result, "stdout", "")).split()


def test_a_secret_is_in_the_chosen_variable(run: Run) -> None:
    result = run("--secret", "DB_PASS=DATABASE_PASSWORD", "--", "sh", "-c", "echo $DB_PASS")
    assert result.stdout == "canary-password\n"


def test_a_name_alone_is_also_the_variable(run: Run) -> None:
    result = run("--secret", "GREETING", "--", "sh", "-c", "echo $GREETING")
    assert result.stdout == "canary-hello\n"


def test_several_secrets_are_one_injection(run: Run, server: ProtocolServer) -> None:
    result = run("--secret", "GREETING", "--secret", "B=DATABASE_PASSWORD", *SHOW)
    assert {"GREETING=canary-hello", "B=canary-password"} <= set(shown(result))
    assert [exchange.path for exchange in server.exchanges] == [
        "/v1/injections",
        "/v1/injections/redeem",
    ]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_takes_every_secret_of_every_page(run: Run, server: ProtocolServer, count: int) -> None:
    server.secrets = {f"S{i}": f"canary-{i}" for i in range(count)}
    assert {f"S{i}=canary-{i}" for i in range(count)} <= set(shown(run("--all", *SHOW)))


def test_a_chosen_variable_wins_over_all(run: Run) -> None:
    result = run("--all", "--secret", "GREETING=DATABASE_PASSWORD", *SHOW)
    assert "GREETING=canary-password" in shown(result)


def test_a_mapping_file_has_names_and_comments(run: Run, tmp_path: Path) -> None:
    mapping = tmp_path / "secrets.map"
    mapping.write_text("# what the service needs\n\nDB_PASS = DATABASE_PASSWORD\nGREETING\n")
    result = run("--from", str(mapping), *SHOW)
    assert {"DB_PASS=canary-password", "GREETING=canary-hello"} <= set(shown(result))


def test_a_mapping_file_with_a_value_is_refused_without_showing_it(
    run: Run, tmp_path: Path
) -> None:
    mapping = tmp_path / "secrets.map"
    mapping.write_text("GREETING\nDB_PASS='canary value'\n")
    result = run("--from", str(mapping), "--", "true")
    assert result.returncode == 125
    assert "secrets.map, line 2" in result.stderr
    assert "canary" not in result.stderr


def test_a_mapping_file_of_very_many_lines_is_refused_before_the_server_is_asked(
    run: Run, server: ProtocolServer, tmp_path: Path
) -> None:
    (tmp_path / "secrets.map").write_text("#\n" * 20_001)
    result = run("--from", "secrets.map", "--secret", "GREETING", "--", "true")
    assert (result.returncode, "more than 20000 lines" in result.stderr) == (125, True)
    assert server.exchanges == []


def test_a_variable_with_two_secrets_is_refused(run: Run) -> None:
    two = ("--secret", "A=GREETING", "--secret", "A=DATABASE_PASSWORD")
    result = run(*two, "--", "true")
    assert (result.returncode, "A is given two secrets" in result.stderr) == (125, True)


@EITHER_WAY
def test_the_command_does_not_inherit_the_api_key(run: Run, mask: tuple[str, ...]) -> None:
    result = run(*mask, "--secret", "GREETING", *SHOW)
    assert [line.partition("=")[0] for line in shown(result)] == ["GREETING", "RUNLOOP_BASE_URL"]


@EITHER_WAY
@pytest.mark.parametrize("code", [0, 1, 125, 255])
def test_the_exit_code_is_the_commands(run: Run, mask: tuple[str, ...], code: int) -> None:
    assert run(*mask, "--secret", "GREETING", "--", "sh", "-c", f"exit {code}").returncode == code


@EITHER_WAY
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_a_signal_that_ends_the_command_ends_the_process(
    run: Run, mask: tuple[str, ...], number: int
) -> None:
    result = run(*mask, "--secret", "GREETING", "--", "sh", "-c", f"kill -{int(number)} $$")
    assert result.returncode == -number


@EITHER_WAY
def test_arguments_after_the_dashes_are_the_commands(run: Run, mask: tuple[str, ...]) -> None:
    arguments = ["--mask", "--", "--secret", ""]
    result = run(*mask, "--secret", "GREETING", "--", "printf", "%s|", *arguments)
    assert result.stdout == "--mask|--|--secret||"


@EITHER_WAY
def test_the_command_reads_our_standard_input(run: Run, mask: tuple[str, ...]) -> None:
    assert run(*mask, "--secret", "GREETING", "--", "cat", given="typed").stdout == "typed"


def test_all_faults_are_named_at_once_before_the_server_is_asked(
    run: Run, server: ProtocolServer
) -> None:
    result = run(
        *("--secret", "LD_PRELOAD=GREETING", "--secret", "HOME", "--secret", "what's this"),
        *("--secret", "TAKEN=GREETING", "--from", "/no/such/file", "--", "no-such-command"),
        TAKEN="mine",
        RUNLOOP_API_KEY="",
    )
    assert result.returncode == 125
    named = "LD_PRELOAD HOME --secret TAKEN --from no-such-command RUNLOOP_API_KEY".split()  # noqa: SIM905
    assert [name for name in named if name not in result.stderr] == []
    assert server.exchanges == []


def test_a_list_that_repeats_a_page_is_refused(run: Run, server: ProtocolServer) -> None:
    page = {"secrets": [server.row("GREETING")], "has_more": True}
    server.troubles += [lambda _, __: (200, page, {})] * 400
    assert run("--all", "--", "true").returncode == 124


def test_choosing_nothing_is_refused(run: Run) -> None:
    assert run("--", "true").returncode == 125


@pytest.mark.parametrize("arguments", [["--frob", "--", "true"], ["--secret", "GREETING"]])
def test_a_wrong_command_line_has_our_exit_code(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).returncode == 125


def test_an_unexpected_error_ends_with_125_and_is_reported_by_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("app.client.command_line.forbid_dumps", fail)
    result = CliRunner().invoke(command, ["--", "true"], obj={})
    assert (result.exit_code, "RuntimeError" in result.output) == (125, True)
    assert "canary" not in result.output


def test_allow_name_and_override_permit(run: Run) -> None:
    may = ("--allow-name", "PS4", "--override")
    names = ("--secret", "PS4=GREETING", "--secret", "TAKEN=GREETING")
    result = run(*may, *names, "--", "sh", "-c", "echo $PS4 $TAKEN", TAKEN="mine")
    assert result.stdout == "canary-hello canary-hello\n"


@pytest.mark.parametrize("key", ["ak_ca\rnary", "ak_ca\nnary", "ak canary", "ak_cänary"])
def test_an_api_key_that_no_header_can_hold_is_refused_before_the_server_is_asked(
    run: Run, server: ProtocolServer, key: str
) -> None:
    result = run("--secret", "GREETING", "--", "true", RUNLOOP_API_KEY=key)
    assert (result.returncode, "RUNLOOP_API_KEY" in result.stderr) == (125, True)
    assert "nary" not in result.stderr
    assert server.exchanges == []


def test_a_missing_secret_is_named(run: Run) -> None:
    result = run("--secret", "X=NO_SUCH_SECRET", "--", "true")
    assert (result.returncode, "NO_SUCH_SECRET" in result.stderr) == (123, True)


def test_a_wrong_api_key_is_reported(run: Run) -> None:
    result = run("--secret", "GREETING", "--", "true", RUNLOOP_API_KEY="ak_wrong")
    assert (result.returncode, "API key" in result.stderr) == (123, True)


def test_a_server_that_is_down_has_its_own_exit_code(run: Run) -> None:
    nobody = {"RUNLOOP_BASE_URL": "http://127.0.0.1:1"}
    assert run("--timeout", "0", "--secret", "GREETING", "--", "true", **nobody).returncode == 124


def test_lost_responses_are_retried_with_the_same_request_id(
    run: Run, server: ProtocolServer
) -> None:
    busy = refusal(503, "key_unavailable", "Down.", Retry_After="1")
    server.troubles += [cut_off_after, lambda _, proceed: proceed(), lambda _, __: busy]
    assert run("--secret", "GREETING", "--", "true").returncode == 0
    ids = [exchange.headers["x-request-id"] for exchange in server.exchanges]
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_other_variables_than_asked_for_start_nothing(run: Run, server: ProtocolServer) -> None:
    planted = {"environment": {"GREETING": "x", "EXTRA": "y"}}
    server.troubles += [lambda _, proceed: proceed(), lambda _, __: (200, planted, {})]
    assert run("--secret", "GREETING", "--", "true").returncode == 124


@EITHER_WAY
def test_a_command_that_the_kernel_cannot_execute_is_reported(
    run: Run, tmp_path: Path, mask: tuple[str, ...]
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x00\x01garbage")
    garbage.chmod(0o755)
    result = run(*mask, "--secret", "GREETING", "--", str(garbage))
    assert (result.returncode, "garbage" in result.stderr) == (126, True)


BECOME_WITHOUT_STREAMS = """
import os
from app.client.terminal.monitor import Start, _become_command
_become_command(Start(["true"], {}, (999, 999, 999), None, False), os.getppid())
"""


def test_a_command_whose_streams_cannot_be_made_is_reported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BECOME_WITHOUT_STREAMS], capture_output=True, check=False
    )
    assert done.returncode == 126
    assert done.stderr == b"strongroom run: nothing was started: Bad file descriptor\n"


def test_unmasked_the_command_takes_over_the_process(environment: dict[str, str]) -> None:
    """Nothing of ours stays: its parent is who started us, wherever that one's program lies."""
    ours = ["strongroom", "run", "--secret", "GREETING", "--", "sh", "-c", "echo $PPID"]
    done = subprocess.run(ours, env=environment, capture_output=True, timeout=60, check=True)
    assert int(done.stdout) == os.getpid()


def test_no_message_contains_a_value_or_a_credential(run: Run, server: ProtocolServer) -> None:
    server.secrets["LARGE"] = "canary-" + "x" * 131_072
    result = run("--secret", "BIG=LARGE", "--", "true")
    assert (result.returncode, "BIG" in result.stderr) == (125, True)
    assert "anary" not in result.stderr


@pytest.mark.parametrize(
    "page", [{"items": []}, {"secrets": [], "has_more": True}, {"secrets": ["x"], "has_more": 1}]
)
def test_a_response_without_a_list_starts_nothing(
    run: Run, server: ProtocolServer, page: dict[str, object]
) -> None:
    server.troubles.append(lambda _, __: (200, page, {}))
    assert run("--timeout", "0", "--all", "--", "true").returncode == 124
