"""``strongroom secret set``: a value gets to the server byte for byte, and nowhere else."""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.waiting import wait_until
from tests.unit.app.client.conftest import Secret
from tests.unit.app.client.protocol_server import (
    API_KEY,
    Answer,
    Exchange,
    ProtocolServer,
    cut_off_after,
    refusal,
)
from tests.unit.app.client.pseudo_terminal import unread_bytes

EXACT = [
    b"canary",
    b" canary ",
    b"canary\n",
    b"line 1\r\nline 2\n\n",
    "wörd 🗝 \u2028\x1b[31m\x7f".encode(),
    b"x" * 65_536,
]


@pytest.mark.parametrize("value", EXACT, ids=range(len(EXACT)))
def test_standard_input_is_stored_byte_for_byte(
    secret: Secret, server: ProtocolServer, value: bytes
) -> None:
    result = secret("set", "NEW", given=value)
    assert (result.returncode, server.secrets["NEW"].encode()) == (0, value)


@pytest.mark.parametrize("value", EXACT, ids=range(len(EXACT)))
def test_a_file_is_stored_byte_for_byte(
    secret: Secret, server: ProtocolServer, tmp_path: Path, value: bytes
) -> None:
    Path(tmp_path, "value").write_bytes(value)
    result = secret("set", "NEW", "--file", "value")
    assert (result.returncode, server.secrets["NEW"].encode()) == (0, value)


def test_an_existing_secret_is_replaced(secret: Secret, server: ProtocolServer) -> None:
    result = secret("set", "GREETING", given=b"canary-other")
    assert (result.stdout, result.stderr) == (b"", b"strongroom secret set: GREETING: replaced\n")
    assert server.secrets["GREETING"] == "canary-other"


def test_a_new_secret_is_created(secret: Secret, server: ProtocolServer) -> None:
    result = secret("set", "NEW", given=b"canary")
    assert (result.stdout, result.stderr) == (b"", b"strongroom secret set: NEW: created\n")


@pytest.mark.parametrize(
    ("value", "noted"), [(b"canary\n", True), (b"canary", False), (b"-\ncanary\n-\n", False)]
)
def test_the_line_end_of_echo_is_stored_and_pointed_out(
    secret: Secret, value: bytes, noted: bool
) -> None:
    result = secret("set", "NEW", given=value)
    assert (result.returncode, b"ends with a line end" in result.stderr) == (0, noted)


def test_new_refuses_a_name_that_exists(secret: Secret, server: ProtocolServer) -> None:
    result = secret("set", "--new", "GREETING", given=b"canary-other")
    assert (result.returncode, b"GREETING already exists" in result.stderr) == (123, True)
    assert server.secrets["GREETING"] == "canary-hello"


def test_a_pipe_that_does_not_block_is_read_to_its_end(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    command = ["strongroom", "secret", "set", "NEW"]
    with subprocess.Popen(command, env=environment, stdin=reader) as running:
        os.write(writer, b"canary-")
        wait_until(lambda: unread_bytes(reader) == 0)
        os.write(writer, b"whole")
        os.close(writer)
        assert running.wait(60) == 0
    os.close(reader)
    assert server.secrets["NEW"] == "canary-whole"


def test_a_name_that_somebody_creates_in_between_gets_the_value(
    secret: Secret, server: ProtocolServer
) -> None:
    def be_faster(_: Exchange, proceed: Callable[[], Answer]) -> Answer:
        server.secrets["NEW"] = "canary-theirs"
        return proceed()

    server.troubles += [lambda _, proceed: proceed(), be_faster]
    result = secret("set", "NEW", given=b"canary-ours")
    assert (result.returncode, server.secrets["NEW"]) == (0, "canary-ours")


def test_a_creation_whose_response_is_lost_is_none_to_report(
    secret: Secret, server: ProtocolServer
) -> None:
    """The server of the test knows no request ids, and refuses the second attempt."""
    server.troubles += [lambda _, proceed: proceed(), cut_off_after]
    result = secret("set", "NEW", given=b"canary")
    assert (result.returncode, result.stderr) == (0, b"strongroom secret set: NEW: created\n")


@pytest.mark.parametrize(
    "command", [("set", "GREETING"), ("delete", "--yes", "GREETING")], ids=" ".join
)
def test_without_a_response_nobody_claims_that_nothing_was_done(
    secret: Secret, server: ProtocolServer, command: tuple[str, ...]
) -> None:
    server.troubles.append(cut_off_after)
    result = secret(*command, "--timeout", "0", given=b"canary-other")
    assert (result.returncode, b"the server confirmed nothing" in result.stderr) == (124, True)
    assert b"nothing was done" not in result.stderr


def test_a_creation_that_is_refused_for_another_reason_is_reported(
    secret: Secret, server: ProtocolServer
) -> None:
    full = refusal(400, "account_limit_reached", "The account is full.")
    server.troubles += [lambda _, proceed: proceed(), lambda _, __: full]
    result = secret("set", "NEW", given=b"canary")
    assert (result.returncode, b"The account is full." in result.stderr) == (123, True)


def test_a_lost_response_is_asked_for_again_with_the_same_request_id(
    secret: Secret, server: ProtocolServer
) -> None:
    server.troubles.append(cut_off_after)
    assert secret("set", "GREETING", given=b"canary-other").returncode == 0
    first, second = (exchange.headers["x-request-id"] for exchange in server.exchanges)
    assert first == second


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (b"", b"empty"),
        (b"canary\xff", b"not UTF-8"),
        (b"canary\0", b"NUL"),
        (b"x" * 65_537, b"65536 bytes"),
        ("ö".encode() * 40_000, b"65536 bytes"),
    ],
)
def test_a_value_against_the_rules_is_refused_before_it_is_sent(
    secret: Secret, server: ProtocolServer, value: bytes, rule: bytes
) -> None:
    result = secret("set", "NEW", given=value)
    assert (result.returncode, rule in result.stderr) == (125, True)
    assert b"canary" not in result.stdout + result.stderr
    assert server.exchanges == []


def test_allow_empty_permits_an_empty_value(secret: Secret, server: ProtocolServer) -> None:
    assert secret("set", "NEW", "--allow-empty").returncode == 0
    assert server.secrets["NEW"] == ""


@pytest.mark.parametrize(
    "arguments",
    [("NAME=canary",), ("NAME", "canary"), ("canary value",), ("NAME", "--value=canary")],
)
def test_a_value_on_the_command_line_is_refused_and_not_repeated(
    secret: Secret, server: ProtocolServer, arguments: tuple[str, ...]
) -> None:
    result = secret("set", *arguments, given=b"x")
    assert result.returncode == 125
    assert b"canary" not in result.stdout + result.stderr
    assert server.exchanges == []


def test_all_faults_are_named_at_once(secret: Secret, server: ProtocolServer) -> None:
    result = secret("set", "A", "B", "--file", "/no/such/file", RUNLOOP_API_KEY="")
    named = [b"NAME", b"/no/such/file", b"RUNLOOP_API_KEY"]
    assert (result.returncode, [each for each in named if each not in result.stderr]) == (125, [])


@pytest.mark.parametrize(
    "value", ["canary-secret", "canary\nof\nlines", "x" * 600 + "canary" + "y" * 600]
)
def test_a_message_that_repeats_the_value_is_not_shown(
    secret: Secret, server: ProtocolServer, value: str
) -> None:
    server.troubles.append(lambda _, __: refusal(400, "bad", f"Cannot take {value!r}: {value}"))
    result = secret("set", "NEW", given=value.encode())
    assert (result.returncode, b"responded with 400" in result.stderr) == (123, True)
    assert b"canary" not in result.stderr
    assert b"xxx" not in result.stderr


FORMS: dict[str, Callable[[str], str]] = {
    "JSON": json.dumps,
    "Python": repr,
    "URL": quote,
    "base64": lambda value: b64encode(value.encode()).decode(),
    "escapes": lambda value: "".join(f"\\u{ord(each):04x}" for each in value),
    "a part": lambda value: value[3:11],
    "the last lines": lambda value: value.split("\n", 1)[-1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_form_of_the_value_is_shown(
    secret: Secret, server: ProtocolServer, form: Callable[[str], str]
) -> None:
    value = "c'ö\"n/a\n& r+y%\tq\\z"
    server.troubles.append(lambda _, __: refusal(400, "bad", f"Not this: {form(value)}, not."))
    result = secret("set", "NEW", given=value.encode())
    assert (result.returncode, b"its message repeats the value" in result.stderr) == (123, True)


def test_the_api_key_is_in_no_message(secret: Secret, server: ProtocolServer) -> None:
    server.troubles.append(lambda _, __: refusal(400, "bad", f"Wrong: {API_KEY}"))
    result = secret("set", "NEW", given=b"canary")
    assert (result.returncode, API_KEY.encode() in result.stderr) == (123, False)
