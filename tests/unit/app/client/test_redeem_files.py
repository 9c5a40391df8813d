"""``redeem --format``: files that give every value back exactly, and that nobody else reads."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from app.client.redeem import is_removable
from tests.unit.app.client.conftest import Redeem
from tests.unit.app.client.protocol_server import ProtocolServer

VALUES = {
    "EMPTY": "",
    "PLAIN": "canary-plain",
    "LINES": "first\nsecond\r\n\n",
    "SINGLE": "it's",
    "DOUBLE": 'say "hi"',
    "BOTH": """it's "both" \\ $HOME `id` $(id) ${HOME} \\n \\""",
    "BACKSLASH": "ends in \\",
    "DOLLAR": "$HOME ${HOME} $(id) `id` !! #no-comment",
    "SPACES": "  around\t",
    "CONTROL": "".join(map(chr, range(1, 32))),
    "UNICODE": "pässwörd 🔑\u2028",
}


@pytest.fixture
def token(server: ProtocolServer) -> str:
    server.secrets.update(VALUES)
    return server.issue({name: name for name in VALUES})


@pytest.fixture
def output(memory: Path) -> Path:
    return memory / "output"


def read_by_sh(file: Path) -> dict[str, str]:
    """The variables of a real shell after reading the file."""
    show = "".join(f"printf '%s\\0' \"${name}\"; " for name in VALUES)
    result = subprocess.run(["sh", "-c", f". {file}; {show}"], capture_output=True, check=True)
    return dict(zip(VALUES, result.stdout.decode().split("\0"), strict=False))


def test_a_shell_reads_every_value_back(redeem: Redeem, token: str, output: Path) -> None:
    assert redeem("--format", "shell", "--output", str(output), token=token).returncode == 0
    assert read_by_sh(output) == VALUES


def test_only_the_shell_format_exports(redeem: Redeem, token: str, output: Path) -> None:
    redeem("--format", "shell", "--output", str(output), token=token)
    script = f". {output}; env"
    result = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert b"PLAIN=canary-plain\n" in result.stdout


def test_json_output_reads_back(redeem: Redeem, token: str, output: Path) -> None:
    redeem("--format", "json", "--output", str(output), token=token)
    assert json.loads(output.read_text()) == VALUES


def test_credentials_are_one_file_a_name_with_the_bare_value(
    redeem: Redeem, token: str, memory: Path
) -> None:
    output = memory / "output"
    redeem("--format", "systemd-credentials", "--output", str(output), token=token)
    found = {file.name: file.read_bytes().decode() for file in output.iterdir()}
    assert found == VALUES


def test_an_empty_directory_is_filled_and_stays_the_same_one(
    redeem: Redeem, token: str, memory: Path
) -> None:
    before = memory.stat()
    redeem("--format", "systemd-credentials", "--output", str(memory), token=token)
    assert {file.name for file in memory.iterdir()} == VALUES.keys()
    assert (memory.stat().st_ino, memory.stat().st_mode) == (before.st_ino, before.st_mode)


def test_the_working_directory_is_a_directory_like_any_other(
    image: Path, environment: dict[str, str], token: str, memory: Path
) -> None:
    environment["STRONGROOM_INJECTION_TOKEN"] = token
    command = ["python3", "-I", str(image), "--format", "systemd-credentials", "--output", "."]
    subprocess.run(command, env=environment, cwd=memory, check=True)
    assert {file.name for file in memory.iterdir()} == VALUES.keys()


@pytest.mark.parametrize(
    ("form", "place"), [("json", "."), ("json", ".."), ("systemd-credentials", "..")]
)
def test_an_unusable_output_directory_leaves_the_token_unused(
    server: ProtocolServer, redeem: Redeem, token: str, form: str, place: str
) -> None:
    refused = redeem("--format", form, "--output", place, "--allow-disk", token=token)
    assert (refused.returncode, "already exists" in refused.stderr) == (125, True)
    assert server.exchanges == []


@pytest.mark.on_disk
@pytest.mark.parametrize("form", ["shell", "dotenv", "json", "systemd-credentials"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "absent"])
def test_an_output_on_a_disk_is_refused_unless_allowed(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path, form: str, *, there: bool
) -> None:
    token, output = server.issue({"HELLO": "GREETING"}), tmp_path / "output"
    if there:
        output.mkdir() if form == "systemd-credentials" else output.touch()
    wanted = ("--format", form, "--output", str(output))
    refused = redeem(*wanted, token=token)
    assert (refused.returncode, "not in memory" in refused.stderr) == (125, True)
    assert server.exchanges == []
    assert redeem(*wanted, "--allow-disk", token=token).returncode == 0
    written = output / "HELLO" if form == "systemd-credentials" else output
    assert "canary-hello" in written.read_text()


@pytest.mark.parametrize("form", ["shell", "dotenv", "json", "systemd-credentials"])
def test_only_the_owner_can_read_the_output(
    server: ProtocolServer, image: Path, environment: dict[str, str], output: Path, form: str
) -> None:
    environment["STRONGROOM_INJECTION_TOKEN"] = server.issue({"HELLO": "GREETING"})
    script = f"umask 0; exec python3 -I {image} --format {form} --output {output} --allow-disk"
    subprocess.run(["sh", "-c", script], env=environment, check=True)
    files = [output, *output.glob("*")]
    assert {stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files} == {0}


@pytest.mark.parametrize("form", ["shell", "systemd-credentials"])
def test_no_draft_remains_beside_the_output(
    redeem: Redeem, token: str, memory: Path, form: str
) -> None:
    redeem("--format", form, "--output", str(memory / "output"), token=token)
    assert [path.name for path in memory.iterdir()] == ["output"]


def test_a_file_of_an_earlier_start_is_replaced(redeem: Redeem, token: str, output: Path) -> None:
    output.write_text("old")
    output.chmod(0o644)
    redeem("--format", "json", "--output", str(output), token=token)
    assert json.loads(output.read_text()) == VALUES
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["json", "systemd-credentials"])
def test_a_link_is_not_followed_and_the_token_not_used(
    server: ProtocolServer, redeem: Redeem, token: str, output: Path, form: str
) -> None:
    target = output.with_name("target")
    target.mkdir() if form == "systemd-credentials" else target.write_text("kept")
    output.symlink_to(target)
    refused = redeem("--format", form, "--output", str(output), "--allow-disk", token=token)
    assert (refused.returncode, "already exists" in refused.stderr) == (125, True)
    assert server.exchanges == []


def test_an_output_directory_with_files_is_refused(
    server: ProtocolServer, redeem: Redeem, token: str, output: Path
) -> None:
    output.mkdir()
    (output / "mine").touch()
    wanted = ("--format", "systemd-credentials", "--output", str(output))
    refused = redeem(*wanted, "--allow-disk", token=token)
    assert (refused.returncode, "already exists" in refused.stderr) == (125, True)
    assert server.exchanges == []


def test_a_command_after_the_files_has_no_value_in_its_environment(
    redeem: Redeem, token: str, output: Path
) -> None:
    result = redeem("--format", "json", "--output", str(output), "--", "env", token=token)
    assert result.returncode == 0
    assert "canary" not in result.stdout
    assert output.exists()


def test_powerful_names_are_refused_in_files_too(
    server: ProtocolServer, redeem: Redeem, output: Path
) -> None:
    token = server.issue({"BASH_ENV": "GREETING"})
    refused = redeem("--format", "shell", "--output", str(output), token=token)
    assert refused.returncode == 125
    assert not output.exists()


@pytest.mark.parametrize(("sticky", "removable"), [(True, False), (False, True)])
def test_a_file_of_another_user_in_a_sticky_directory_is_not_removable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, sticky: bool, removable: bool
) -> None:
    file = tmp_path / "theirs"
    file.touch()
    tmp_path.chmod(0o1777 if sticky else 0o777)
    monkeypatch.setattr("app.client.redeem.os.geteuid", lambda: file.stat().st_uid + 1)
    assert is_removable(file) == removable
