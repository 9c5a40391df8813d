"""``strongroom run`` shows values to its command and to nobody else."""

import os
import signal
import subprocess
from pathlib import Path
from secrets import token_hex

import pytest

from tests.support.waiting import wait_until
from tests.unit.app.client.core_files import WANTED, core_files, require_core_files
from tests.unit.app.client.protocol_server import API_KEY, ProtocolServer


@pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])
def test_only_the_command_has_the_value_in_proc(
    environment: dict[str, str], server: ProtocolServer, tmp_path: Path, mask: tuple[str, ...]
) -> None:
    canary = server.secrets["GREETING"] = f"canary-{token_hex(8)}"  # no other test's process has it
    os.mkfifo(tmp_path / "go")
    script, identity = "echo $$ > id; read x < go", tmp_path / "id"
    with subprocess.Popen(
        ["strongroom", "run", *mask, "--secret", "GREETING", "--", "sh", "-c", script],
        env=environment | {"STRONGROOM_INJECTION_TOKEN": "injt_handed"},
        cwd=tmp_path,
    ) as ours:
        try:
            wait_until(lambda: identity.exists() and identity.read_text().endswith("\n"))
            command = identity.read_text().strip()
            (token,) = server.tokens
            assert holders("environ", canary) == {command}
            assert holders("environ", token) == set()
            assert [pid for pid in family(ours.pid) if API_KEY in environ(pid)] == []
            assert [pid for pid in family(ours.pid) if "injt_handed" in environ(pid)] == []
            for secret in (canary, token, API_KEY):
                assert holders("cmdline", secret) == set()
        finally:
            (tmp_path / "go").write_text("\n")
        assert ours.wait() == 0


def test_a_crash_of_strongroom_beside_a_masked_command_leaves_no_core_file(
    environment: dict[str, str], tmp_path: Path
) -> None:
    require_core_files(tmp_path)
    crash = "kill -SEGV $(cat ours)"
    script = (
        f"{WANTED}echo $$ > ours; exec strongroom run --mask --secret GREETING -- sh -c '{crash}'"
    )
    ended = subprocess.run(["sh", "-c", script], env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == -signal.SIGSEGV
    assert core_files(tmp_path) == []


@pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])
def test_no_file_is_made(
    environment: dict[str, str], tmp_path: Path, mask: tuple[str, ...]
) -> None:
    before = files(tmp_path)
    subprocess.run(
        ["strongroom", "run", *mask, "--secret", "GREETING", "--", "true"],
        env=environment | {"TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        check=True,
    )
    assert files(tmp_path) == before


def family(process: int) -> list[int]:
    """The process and all that it started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in children for each in family(int(child)))]


def environ(process: int) -> str:
    return Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace")


def files(place: Path) -> set[Path]:
    return set(place.rglob("*"))


def holders(file: str, text: str) -> set[str]:
    """The other processes that have it in their ``cmdline`` or ``environ``."""
    found = set()
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        try:
            if text.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.add(path.parent.name)
        except OSError:
            continue
    return found
