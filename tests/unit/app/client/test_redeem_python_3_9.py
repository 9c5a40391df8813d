"""``redeem.py`` under the oldest Python that it promises to run under, warnings being errors."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate
from tests.support.connect_proxy import connect_proxy
from tests.support.programs import python_3_9
from tests.unit.app.client.conftest import SECRETS
from tests.unit.app.client.protocol_server import ProtocolServer, cut_off_after, serving

NAMES = {"HELLO": "GREETING"}

RedeemBy39 = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python() -> str:
    return python_3_9()


@pytest.fixture
def redeem(
    server: ProtocolServer, environment: dict[str, str], image: Path, python: str
) -> RedeemBy39:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        token = {"STRONGROOM_INJECTION_TOKEN": server.issue(NAMES)}
        return subprocess.run(
            [python, "-I", "-S", "-W", "error", str(image), *arguments],
            env=environment | token | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_command_has_the_secret_after_a_lost_response(
    server: ProtocolServer, redeem: RedeemBy39
) -> None:
    server.troubles.append(cut_off_after)
    result = redeem("--", "sh", "-c", "echo $HELLO")
    assert (result.returncode, result.stdout, result.stderr) == (0, "canary-hello\n", "")


@pytest.mark.parametrize("form", ["shell", "docker", "dotenv", "json", "systemd-credentials"])
def test_files_have_the_secret(redeem: RedeemBy39, tmp_path: Path, form: str) -> None:
    output = tmp_path / "output"
    result = redeem("--format", form, "--output", str(output), "--allow-disk")
    assert (result.returncode, result.stderr) == (0, "")
    file = output / "HELLO" if form == "systemd-credentials" else output
    assert "canary-hello" in file.read_text()


def test_the_server_is_reached_through_a_proxy(
    server: ProtocolServer, redeem: RedeemBy39, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path, "strongroom.test")
    with serving(dict(SECRETS), certificate) as remote, connect_proxy(remote.url) as proxy:
        remote.tokens = server.tokens
        result = redeem(
            *("--", "sh", "-c", "echo $HELLO"),
            RUNLOOP_BASE_URL="https://strongroom.test",
            HTTPS_PROXY=f"http://user:password@127.0.0.1:{proxy.port}",
            SSL_CERT_FILE=str(certificate.ca_file),
        )
    assert (result.returncode, result.stdout, result.stderr) == (0, "canary-hello\n", "")
    assert proxy.targets == ["strongroom.test:443"]


def test_a_file_in_memory_has_the_secret(redeem: RedeemBy39) -> None:
    result = redeem("--file", "HELLO", "--", "sh", "-c", "cat $HELLO")
    assert (result.returncode, result.stdout, result.stderr) == (0, "canary-hello", "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--frob"], 125),
        (["--timeout", "0", "--", "true"], 124),
        (["--", "no-such-command"], 127),
    ],
)
def test_a_refusal_has_its_exit_code(redeem: RedeemBy39, arguments: list[str], code: int) -> None:
    result = redeem(*arguments, RUNLOOP_BASE_URL="http://127.0.0.1:1")
    assert result.returncode == code
    assert result.stderr.startswith("strongroom redeem: nothing was started:\n")
