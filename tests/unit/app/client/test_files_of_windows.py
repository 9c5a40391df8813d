"""Settings and files as editors of Windows leave them: read as they are meant."""

import codecs
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Redeem, Run
from tests.unit.app.client.protocol_server import API_KEY, ProtocolServer

SHOW = ("--", "sh", "-c", "echo $HELLO")
AROUND = [("", "\r"), ("", "\n"), ("", "\r\n"), (" ", " \t"), ("\ufeff", "\r\n")]


@pytest.mark.parametrize(("before", "after"), AROUND)
def test_redeem_takes_its_url_without_what_is_around_it(
    server: ProtocolServer, redeem: Redeem, before: str, after: str
) -> None:
    token, url = server.issue({"HELLO": "GREETING"}), f"{before}{server.url}{after}"
    result = redeem(*SHOW, token=token, RUNLOOP_BASE_URL=url)
    assert (result.returncode, result.stdout) == (0, "canary-hello\n")


@pytest.mark.parametrize(("before", "after"), AROUND)
def test_redeem_takes_its_token_without_what_is_around_it(
    server: ProtocolServer, redeem: Redeem, before: str, after: str
) -> None:
    token = server.issue({"HELLO": "GREETING"})
    assert redeem(*SHOW, token=f"{before}{token}{after}").stdout == "canary-hello\n"


@pytest.mark.parametrize(("before", "after"), AROUND)
def test_run_takes_url_and_key_without_what_is_around_them(
    server: ProtocolServer, run: Run, before: str, after: str
) -> None:
    settings = {"RUNLOOP_BASE_URL": server.url, "RUNLOOP_API_KEY": API_KEY}
    around = {name: f"{before}{text}{after}" for name, text in settings.items()}
    result = run("--secret", "HELLO=GREETING", *SHOW, **around)
    assert (result.returncode, result.stdout) == (0, "canary-hello\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mapping_file_of_windows_is_read(run: Run, tmp_path: Path, encoding: str) -> None:
    mapping = tmp_path / "secrets.map"
    mapping.write_bytes("HELLO = GREETING\r\n# the end\r\n".encode(encoding))
    assert run("--from", str(mapping), *SHOW).stdout == "canary-hello\n"


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_mark_is_recognised_in_every_locale(
    server: ProtocolServer, redeem: Redeem, locale: str
) -> None:
    token = "\ufeff" + server.issue({"HELLO": "GREETING"})
    assert redeem(*SHOW, token=token, LC_ALL=locale, PYTHONUTF8="0").stdout == "canary-hello\n"


@pytest.mark.parametrize(
    "encoded",
    [
        lambda text: codecs.BOM_UTF8 + f"{text}\r\n".encode(),
        lambda text: codecs.BOM_UTF16_LE + f"{text}\r\n".encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + f"{text}\r\n".encode("utf-16-be"),
    ],
    ids=["UTF-8", "UTF-16, little-endian", "UTF-16, big-endian"],
)
def test_a_token_is_read_from_a_file_with_a_mark(
    server: ProtocolServer, redeem: Redeem, tmp_path: Path, encoded: object
) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    assert callable(encoded)
    file.write_bytes(encoded(server.issue({"HELLO": "GREETING"})))
    assert redeem("--token-file", str(file), *SHOW).stdout == "canary-hello\n"
