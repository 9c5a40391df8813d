"""``strongroom check`` finds what would keep the gateway from serving, or from being safe."""

import socket
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.terminal import Terminal, faults

pytestmark = pytest.mark.sqlite  # the database is no part of it

URL = "STRONGROOM_GATEWAY_URL"
SOCKET = "STRONGROOM_GATEWAY_SOCKET"


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A gateway of this machine."""
    return {
        URL: "https://gw.example.org",
        "STRONGROOM_GATEWAY_PORT": str(free_port()),
        SOCKET: f"/tmp/{free_port()}.sock",  # noqa: S108 - a short path that nobody makes
    }


def test_a_gateway_as_init_makes_it_passes(terminal: Terminal, settings: dict[str, str]) -> None:
    checked = terminal.run("check", **settings)
    assert (checked.exit_code, "gateway" in checked.stderr.lower()) == (0, False)
    assert f"admissions: unix:{settings[SOCKET]}" in checked.stdout


def test_the_host_name_of_the_api_is_refused_unless_it_is_permitted(
    terminal: Terminal, settings: dict[str, str]
) -> None:
    client_env = terminal.home / "client.env"
    text = client_env.read_text().replace("https://localhost", "https://api.example.org")
    client_env.write_text(text)
    shared = settings | {URL: "https://api.example.org:8443"}
    (fault,) = faults(terminal, **shared)
    assert fault.startswith(f"{URL}: it has the API's host name")
    permitted = terminal.run("check", STRONGROOM_GATEWAY_SHARES_HOST="1", **shared)
    assert permitted.exit_code == 0


def test_a_key_that_others_may_read_is_refused(
    terminal: Terminal, settings: dict[str, str]
) -> None:
    (terminal.home / "gateway.key").chmod(0o640)
    (fault,) = faults(terminal, **settings)
    assert fault.startswith("STRONGROOM_GATEWAY_KEY_FILE: the file must be of mode 0600")


@pytest.mark.parametrize("text", ["", "ak_something", "\n"])
def test_a_file_that_holds_no_gateway_key_is_refused(
    terminal: Terminal, settings: dict[str, str], text: str
) -> None:
    (terminal.home / "gateway.key").write_text(text)
    (fault,) = faults(terminal, **settings)
    assert fault == "STRONGROOM_GATEWAY_KEY_FILE: the file must hold a gateway key."


def test_a_user_that_does_not_exist_is_refused(
    terminal: Terminal, settings: dict[str, str]
) -> None:
    (fault,) = faults(terminal, STRONGROOM_GATEWAY_USER="no-such-user", **settings)
    assert fault == "STRONGROOM_GATEWAY_USER: this machine has no such user."


def test_a_port_that_another_program_has_is_refused(
    terminal: Terminal, settings: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        (fault,) = faults(terminal, **settings | {"STRONGROOM_GATEWAY_PORT": taken})
    assert fault.startswith("STRONGROOM_GATEWAY_PORT: another program listens on")


def test_a_place_where_no_socket_can_be_made_is_refused(
    terminal: Terminal, settings: dict[str, str], tmp_path: Path
) -> None:
    file = terminal.home / "keys"
    (fault,) = faults(terminal, **settings | {SOCKET: str(file)})
    assert fault in {
        f"{SOCKET}: the file exists and is not a socket.",
        f"{SOCKET}: must be a path that, made absolute, has at most 100 bytes.",
    }
    (missing,) = faults(terminal, **settings | {SOCKET: "/nowhere/admission.sock"})
    assert missing == f"{SOCKET}: this user cannot create files in the directory."
    assert tmp_path.exists()


def test_certificates_that_others_may_write_are_refused(
    terminal: Terminal, settings: dict[str, str]
) -> None:
    file = terminal.home / "ca.pem"
    file.write_text("certificates")
    file.chmod(0o666)
    (fault,) = faults(terminal, STRONGROOM_GATEWAY_CA_FILE=str(file), **settings)
    assert fault.startswith("STRONGROOM_GATEWAY_CA_FILE: the file must not be writable")


def test_without_a_url_nothing_of_the_gateway_is_looked_at(terminal: Terminal) -> None:
    (terminal.home / "gateway.key").chmod(0o644)
    assert terminal.run("check").exit_code == 0
