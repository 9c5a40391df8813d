"""``redeem --output`` at mount points: values stay in memory, and no token is spent on EBUSY.

Each test has a mount namespace of its own.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest

from tests.support.programs import require
from tests.unit.app.client.protocol_server import ProtocolServer

UNREMOVABLE = {
    "on a read-only file system": "mount --bind place place && mount -o remount,bind,ro place",
    "a mount point itself": "mount --bind place/token place/token",
}

InNamespace = Callable[[str], subprocess.CompletedProcess[str]]

NAMES = {"HELLO": "GREETING", "PLAIN": "PLAIN_SECRET"}


@pytest.fixture
def in_namespace(
    server: ProtocolServer, image: Path, environment: dict[str, str], tmp_path: Path
) -> InNamespace:
    """Run a script that may mount, in which redeem is the command and has a token."""
    unshare = [require("unshare"), "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no mount namespace")
    server.secrets["PLAIN_SECRET"] = "canary-plain"
    environment["STRONGROOM_INJECTION_TOKEN"] = server.issue(NAMES)
    redeem = f'redeem() {{ {quote(sys.executable)} -I -S {quote(str(image))} "$@"; }}'

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*unshare, "sh", "-euc", f"{redeem}\n{script}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_mount_point_is_filled_and_nothing_is_written_beside_it(
    in_namespace: InNamespace,
) -> None:
    """As in a container whose root is read-only."""
    result = in_namespace(
        """
        mkdir place
        mount -t tmpfs tmpfs place
        mkdir place/output
        mount -t tmpfs tmpfs place/output
        mount -o remount,ro place
        redeem --format systemd-credentials --output place/output
        cd place/output
        ls -A
        cat HELLO PLAIN
        """
    )
    assert (result.stdout, result.stderr) == ("HELLO\nPLAIN\ncanary-hellocanary-plain", "")


def test_a_directory_in_memory_below_a_bind_mount_of_the_same_file_system_is_filled(
    in_namespace: InNamespace,
) -> None:
    result = in_namespace(
        """
        mkdir place
        mount -t tmpfs tmpfs place
        mkdir place/output
        mount --bind place/output place/output
        redeem --format systemd-credentials --output place/output
        ls -A place place/output
        """
    )
    assert (result.stdout, result.stderr) == ("place:\noutput\n\nplace/output:\nHELLO\nPLAIN\n", "")


def test_a_file_that_is_a_mount_point_is_refused_and_the_token_not_used(
    in_namespace: InNamespace, server: ProtocolServer
) -> None:
    result = in_namespace(
        """
        touch 'a file'
        mount --bind 'a file' 'a file'
        redeem --format json --output 'a file'
        """
    )
    assert (result.returncode, "--output" in result.stderr) == (125, True)
    assert server.exchanges == []


@pytest.mark.on_disk
def test_a_mount_that_is_no_memory_is_refused_and_the_token_not_used(
    in_namespace: InNamespace, server: ProtocolServer
) -> None:
    result = in_namespace(
        """
        mkdir output disk
        mount --bind disk output
        redeem --format systemd-credentials --output output
        """
    )
    assert (result.returncode, "--allow-disk" in result.stderr) == (125, True)
    assert server.exchanges == []


@pytest.mark.parametrize("mount", UNREMOVABLE.values(), ids=UNREMOVABLE)
def test_a_token_file_that_cannot_be_removed_is_refused_and_the_token_not_used(
    in_namespace: InNamespace, server: ProtocolServer, mount: str
) -> None:
    result = in_namespace(
        f"""
        umask 077
        mkdir place
        echo "$STRONGROOM_INJECTION_TOKEN" > place/token
        {mount}
        redeem --token-file place/token -- true
        """
    )
    assert (result.returncode, "--token-mount" in result.stderr) == (125, True)
    assert server.exchanges == []
