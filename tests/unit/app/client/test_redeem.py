"""``redeem``: one token, once, for one command that has the secrets and nothing else of ours."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import app.client.redeem
from tests.unit.app.client.conftest import SECRETS, Redeem
from tests.unit.app.client.protocol_server import ProtocolServer, cut_off_after, refusal

NAMES = {"DB_PASS": "DATABASE_PASSWORD", "HELLO": "GREETING"}


def variables(output: str) -> dict[str, str]:
    """Parse the output of ``env -0``."""
    return dict(line.split("=", 1) for line in output.split("\0") if line)


def test_the_command_has_the_secrets_byte_for_byte(server: ProtocolServer, redeem: Redeem) -> None:
    result = redeem("--", "env", "-0", token=server.issue(NAMES))
    found = variables(result.stdout)
    assert found["DB_PASS"] == SECRETS["DATABASE_PASSWORD"]
    assert found["HELLO"] == SECRETS["GREETING"]


def test_values_are_utf8_in_any_locale(
    server: ProtocolServer, environment: dict[str, str], image: Path
) -> None:
    environment |= {"LC_ALL": "POSIX", "STRONGROOM_INJECTION_TOKEN": server.issue(NAMES)}
    result = subprocess.run(
        [sys.executable, "-I", "-X", "utf8=0", str(image), "--", "env", "-0"],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert variables(result.stdout.decode())["DB_PASS"] == SECRETS["DATABASE_PASSWORD"]


def test_the_command_inherits_everything_but_the_credentials(
    server: ProtocolServer, redeem: Redeem, environment: dict[str, str]
) -> None:
    token = server.issue(NAMES)
    found = variables(redeem("--", "env", "-0", token=token, MINE="kept").stdout)
    assert found.keys() == (environment.keys() | {"MINE", *NAMES}) - {"RUNLOOP_API_KEY"}


def test_the_command_gets_its_arguments_as_they_are(server: ProtocolServer, redeem: Redeem) -> None:
    arguments = ["--format", "--", "$HOME", ""]
    result = redeem("--", "printf", "%s|", *arguments, token=server.issue(NAMES))
    assert result.stdout == "".join(f"{argument}|" for argument in arguments)


def test_the_exit_code_is_the_commands(server: ProtocolServer, redeem: Redeem) -> None:
    assert redeem("--", "sh", "-c", "exit 42", token=server.issue(NAMES)).returncode == 42


def test_a_signal_that_ends_the_command_ends_the_process(
    server: ProtocolServer, redeem: Redeem
) -> None:
    result = redeem("--", "sh", "-c", "kill -USR1 $$", token=server.issue(NAMES))
    assert result.returncode == -signal.SIGUSR1


def test_a_closed_pipe_ends_the_command_as_usual(server: ProtocolServer, redeem: Redeem) -> None:
    script = "trap - PIPE; (yes; echo $? >&2) | head -1"
    result = redeem("--", "bash", "-c", script, token=server.issue(NAMES))
    assert result.stderr == f"{128 + signal.SIGPIPE}\n"


def test_a_lost_response_is_retried_with_the_same_nonce(
    server: ProtocolServer, redeem: Redeem
) -> None:
    server.troubles.append(cut_off_after)
    result = redeem("--", "sh", "-c", "echo $HELLO", token=server.issue(NAMES))
    assert result.stdout == "canary-hello\n"
    first, second = server.exchanges
    assert len(first.body["redeem_nonce"]) >= 22
    assert first.body == second.body
    assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_every_redemption_has_its_own_nonce(server: ProtocolServer, redeem: Redeem) -> None:
    for _ in range(2):
        redeem("--", "true", token=server.issue(NAMES))
    assert len({exchange.body["redeem_nonce"] for exchange in server.exchanges}) == 2


def test_a_busy_server_is_retried(server: ProtocolServer, redeem: Redeem) -> None:
    busy = refusal(503, "key_unavailable", "The key provider is down.", Retry_After="1")
    server.troubles.append(lambda _, __: busy)
    assert redeem("--", "true", token=server.issue(NAMES)).returncode == 0
    assert len(server.exchanges) == 2


def test_a_refusal_is_reported_and_not_retried(server: ProtocolServer, redeem: Redeem) -> None:
    token = server.issue(NAMES)
    assert redeem("--", "true", token=token).returncode == 0
    second = redeem("--", "touch", "started", token=token)
    assert second.returncode == 123
    assert "The injection token is not valid." in second.stderr
    assert len(server.exchanges) == 2


def test_x_should_retry_false_prevents_a_retry(server: ProtocolServer, redeem: Redeem) -> None:
    lost = refusal(500, "value_unreadable", "A value cannot be read.", x_should_retry="false")
    server.troubles.append(lambda _, __: lost)
    assert redeem("--", "true", token=server.issue(NAMES)).returncode == 123
    assert len(server.exchanges) == 1


def test_a_redirect_is_not_followed(server: ProtocolServer, redeem: Redeem) -> None:
    elsewhere = refusal(307, "moved", "Elsewhere.", Location=f"{server.url}/elsewhere")
    server.troubles.append(lambda _, __: elsewhere)
    assert redeem("--", "true", token=server.issue(NAMES)).returncode == 123
    assert len(server.exchanges) == 1


def test_a_server_that_is_down_has_an_exit_code_of_its_own(
    server: ProtocolServer, redeem: Redeem
) -> None:
    token = server.issue(NAMES)
    nobody = "http://127.0.0.1:1"
    result = redeem("--timeout", "1", "--", "true", token=token, RUNLOOP_BASE_URL=nobody)
    assert result.returncode == 124
    assert "RUNLOOP_BASE_URL" in result.stderr


@pytest.mark.parametrize(
    "document",
    [{"environment": ["x"]}, {"environment": {"A": 1}}, {"environment": {"A": "x\0y"}}],
    ids=["a list", "a number", "a NUL"],
)
def test_a_response_without_an_environment_starts_nothing(
    server: ProtocolServer, redeem: Redeem, document: dict[str, object]
) -> None:
    server.troubles.append(lambda _, __: (200, document, {}))
    refused = redeem("--timeout", "0", "--", "true", token=server.issue(NAMES))
    assert refused.returncode == 124


def test_a_token_file_is_removed_before_the_command_starts(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(server.issue(NAMES) + "\n")
    result = redeem("--token-file", str(file), "--", "test", "!", "-e", str(file))
    assert result.returncode == 0


def test_a_token_file_stays_when_the_server_was_down(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(server.issue(NAMES))
    nobody = {"RUNLOOP_BASE_URL": "http://127.0.0.1:1"}
    redeem("--timeout", "0", "--token-file", str(file), "--", "true", **nobody)
    assert redeem("--token-file", str(file), "--", "true").returncode == 0


def test_a_token_file_that_others_can_read_is_refused(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(server.issue(NAMES))
    file.chmod(0o640)
    assert redeem("--token-file", str(file), "--", "true").returncode == 125


def test_a_mounted_token_is_read_and_not_removed(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path
) -> None:
    """Kubernetes and systemd mount secrets read-only, Kubernetes behind a link."""
    (tmp_path / "..data").write_text(server.issue(NAMES))
    mount = tmp_path / "token"
    mount.symlink_to("..data")
    assert redeem("--token-mount", str(mount), "--", "true").returncode == 0
    assert mount.exists()


def test_all_faults_are_named_at_once_and_the_token_is_not_used(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path
) -> None:
    absent, token = str(tmp_path / "absent" / "file"), server.issue(NAMES)
    result = redeem(
        *("--format", "json", "--output", absent, "--", "no-such-command"),
        token=token,
        RUNLOOP_BASE_URL="http://secrets.example",
    )
    assert result.returncode == 125
    named = ["RUNLOOP_BASE_URL", "--allow-http", "--output", "no-such-command"]
    assert [name for name in named if name not in result.stderr] == []
    assert server.exchanges == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secrets.example",
        "ftp://secrets.example",
        "http://[::1",
        "http://[::1]x",
        "http://[1.2.3]",
        "http://localhost:",
        "http://localhost:abc",
        "http://localhost:0",
        "http://localhost:65536",
        "http://user@localhost",
        "http://localhost/?a=b",
        "http://localhost/#a",
        "http://local\rhost",
        "https://a..b",
        f"https://{'a' * 64}.example",
    ],
)
def test_a_base_url_that_names_no_server_is_refused_at_once(redeem: Redeem, url: str) -> None:
    result = redeem("--", "true", token="injt_x", RUNLOOP_BASE_URL=url)
    assert (result.returncode, "RUNLOOP_BASE_URL must be" in result.stderr) == (125, True)


def test_an_endlessly_nested_response_is_retried(server: ProtocolServer, redeem: Redeem) -> None:
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    server.troubles.append(lambda _, __: (200, nested, {}))
    result = redeem("--timeout", "0", "--", "true", token=server.issue(NAMES))
    assert (result.returncode, "Traceback" in result.stderr) == (124, False)


def test_an_unexpected_error_is_reported_by_its_class_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(app.client.redeem, "forbid_dumps", fail)
    assert app.client.redeem.main(["--", "true"], {}) == 125
    assert capsys.readouterr().err == "strongroom redeem: unexpected error: RuntimeError\n"


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-command", 127), ("/", 126), ("./redeem.py", 126)]
)
def test_a_command_that_cannot_be_started_leaves_the_token_unused(
    server: ProtocolServer, redeem: Redeem, command: str, code: int
) -> None:
    assert redeem("--", command, token=server.issue(NAMES)).returncode == code
    assert server.exchanges == []


@pytest.mark.parametrize("arguments", [[], ["--format", "json"], ["--frob"], ["true"]])
def test_a_wrong_command_line_ends_with_125(redeem: Redeem, arguments: list[str]) -> None:
    assert redeem(*arguments).returncode == 125


def test_a_variable_that_is_set_is_replaced_only_with_override(
    server: ProtocolServer, redeem: Redeem
) -> None:
    show = ("--", "sh", "-c", "echo $HELLO")
    refused = redeem(*show, token=server.issue(NAMES), HELLO="mine")
    assert (refused.returncode, "HELLO" in refused.stderr) == (125, True)
    replaced = redeem("--override", *show, token=server.issue(NAMES), HELLO="mine")
    assert replaced.stdout == "canary-hello\n"


def test_a_powerful_name_is_refused_unless_allowed(server: ProtocolServer, redeem: Redeem) -> None:
    names = {"NODE_OPTIONS": "GREETING", "BASH_ENV": "GREETING", "FINE": "GREETING"}
    refused = redeem("--", "true", token=server.issue(names))
    assert refused.returncode == 125
    assert "NODE_OPTIONS" in refused.stderr
    assert "BASH_ENV" in refused.stderr
    assert "FINE" not in refused.stderr
    both = ("--allow-name", "NODE_OPTIONS", "--allow-name", "BASH_ENV")
    assert redeem(*both, "--", "true", token=server.issue(names)).returncode == 0


def test_a_value_of_the_kernels_limit_starts_and_one_byte_more_is_refused(
    server: ProtocolServer, redeem: Redeem
) -> None:
    room = 131_072 - len("BIG=") - len("\0")
    server.secrets["FITS"] = "x" * room
    assert redeem("--", "true", token=server.issue({"BIG": "FITS"})).returncode == 0
    server.secrets["OVER"] = "x" * (room + 1)
    refused = redeem("--", "true", token=server.issue({"BIG": "OVER"}))
    assert (refused.returncode, "BIG" in refused.stderr) == (125, True)


def test_an_environment_over_the_kernels_limit_is_refused(
    server: ProtocolServer, redeem: Redeem
) -> None:
    server.secrets["LARGE"] = "x" * 130_000
    names = {f"LARGE_{i}": "LARGE" for i in range(48)}  # over 6 MiB, the limit of every system
    refused = redeem("--", "true", token=server.issue(names))
    assert (refused.returncode, "all variables" in refused.stderr) == (125, True)


def test_the_file_runs_on_python_3_9_without_dependencies() -> None:
    source = Path(app.client.redeem.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names
