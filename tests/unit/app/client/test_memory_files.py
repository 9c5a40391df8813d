"""``--file``: a value in a file in memory, whose path the command has in a variable."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.client.redeem import FileContent
from tests.unit.app.client.conftest import SECRETS, Redeem, Run
from tests.unit.app.client.protocol_server import ProtocolServer

if sys.platform != "linux":
    pytest.skip("files in memory need Linux", allow_module_level=True)

VALUE = SECRETS["DATABASE_PASSWORD"]

# Python closes what it inherited in each child that it starts, so the child has the path only.
IN_A_CHILD = """
import os, subprocess, sys
show = "import sys; sys.stdout.write(open(sys.argv[1], newline='').read())"
subprocess.run([sys.executable, "-c", show, os.environ["KEY"]], check=True)
"""
CHANGES = ["echo x > $KEY", "echo x >> $KEY", "chmod 600 $KEY; echo x > $KEY", "truncate -s0 $KEY"]


@pytest.fixture
def token(server: ProtocolServer) -> str:
    return server.issue({"KEY": "DATABASE_PASSWORD", "HELLO": "GREETING"})


@pytest.fixture
def with_file(redeem: Redeem, token: str) -> Redeem:
    def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return redeem("--file", "KEY", "--", *command, token=token, **more)

    return run


def test_the_file_has_the_bytes_of_the_value(with_file: Redeem) -> None:
    assert with_file("sh", "-c", 'cat "$KEY"').stdout == VALUE


def test_a_child_that_inherits_nothing_opens_the_path(with_file: Redeem) -> None:
    assert with_file(sys.executable, "-c", IN_A_CHILD).stdout == VALUE


def test_a_program_that_replaces_the_command_still_has_the_file(with_file: Redeem) -> None:
    assert with_file("sh", "-c", 'exec cat "$KEY"').stdout == VALUE


def test_the_file_can_be_read_many_times(with_file: Redeem) -> None:
    assert with_file("sh", "-c", 'cat "$KEY" "$KEY"').stdout == VALUE + VALUE


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_can_change_the_file(with_file: Redeem, change: str) -> None:
    result = with_file("sh", "-c", f'({change}) 2>/dev/null; cat "$KEY"')
    assert result.stdout == VALUE


def test_only_the_owner_may_read_the_file(with_file: Redeem) -> None:
    assert with_file("sh", "-c", 'stat -Lc %a "$KEY"').stdout == "400\n"


def test_the_file_ends_with_the_command(with_file: Redeem) -> None:
    path = with_file("sh", "-c", 'test -r "$KEY" && printf %s "$KEY"').stdout
    assert path.startswith("/proc/")
    assert not Path(path).exists()


def test_other_variables_have_their_values(with_file: Redeem) -> None:
    assert with_file("sh", "-c", "echo $HELLO").stdout == "canary-hello\n"


def test_a_file_can_be_larger_than_a_variable(server: ProtocolServer, with_file: Redeem) -> None:
    server.secrets["DATABASE_PASSWORD"] = "x" * 500_000
    assert with_file("sh", "-c", 'wc -c < "$KEY"').stdout.strip() == "500000"


def test_a_script_without_an_interpreter_has_its_file(with_file: Redeem, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('cat "$KEY"\n')
    script.chmod(0o755)
    assert with_file(str(script)).stdout == VALUE


@pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])
def test_run_gives_a_child_of_the_command_the_file(run: Run, mask: tuple[str, ...]) -> None:
    count = 'sh -c "wc -c < $KEY; stat -Lc %a $KEY"'
    result = run(*mask, "--file", "KEY=DATABASE_PASSWORD", "--", "sh", "-c", count)
    assert result.stdout.split() == [str(len(VALUE.encode())), "400"]


def test_run_masks_what_a_file_contains(run: Run) -> None:
    result = run("--mask", "--file", "GREETING", "--", "sh", "-c", 'echo "<$(cat $GREETING)>"')
    assert result.stdout == "<[masked]>\n"


def test_run_takes_a_secret_as_variable_and_as_file(run: Run) -> None:
    both = ("--secret", "A=GREETING", "--file", "B=GREETING")
    result = run(*both, "--", "sh", "-c", 'echo "$A $(cat $B)"')
    assert result.stdout == "canary-hello canary-hello\n"


def test_one_variable_for_a_value_and_a_file_is_refused(run: Run) -> None:
    result = run("--secret", "GREETING", "--file", "GREETING", "--", "true")
    assert (result.returncode, "GREETING is given two secrets" in result.stderr) == (125, True)


def test_a_file_of_run_can_be_larger_than_a_variable_beside_all(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {"LARGE": "x" * 500_000, "OTHER": "canary-other"}
    show = 'wc -c < "$LARGE"; echo $OTHER'
    result = run("--all", "--file", "LARGE", "--", "sh", "-c", show)
    assert (result.stdout.split(), result.stderr) == (["500000", "canary-other"], "")


def test_a_name_that_the_injection_has_not_is_refused(redeem: Redeem, token: str) -> None:
    result = redeem("--file", "OTHER", "--", "true", token=token)
    assert (result.returncode, "the injection has no OTHER" in result.stderr) == (125, True)


@pytest.mark.parametrize("rest", [["--format", "json", "--output", "x", "--", "true"], []])
def test_a_file_needs_a_command_that_gets_the_values(
    redeem: Redeem, token: str, rest: list[str], server: ProtocolServer
) -> None:
    assert redeem("--file", "KEY", *rest, token=token).returncode == 125
    assert server.exchanges == []


def test_a_name_that_controls_programs_is_refused_for_a_file_too(
    server: ProtocolServer, redeem: Redeem
) -> None:
    token = server.issue({"LD_PRELOAD": "GREETING"})
    result = redeem("--file", "LD_PRELOAD", "--", "true", token=token)
    assert (result.returncode, "LD_PRELOAD" in result.stderr) == (125, True)


def test_the_content_does_not_print_itself() -> None:
    content = FileContent(b"canary")
    assert "canary" not in repr(content) + str(content)
