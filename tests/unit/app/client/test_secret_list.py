"""``strongroom secret list``: every page, for people, for scripts and for pipes."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Secret
from tests.unit.app.client.protocol_server import CREATED_MS, ProtocolServer, secret_id
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

DAY_MS = 86_400_000


def lines(text: bytes) -> list[str]:
    return text.decode().splitlines()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_pipe_gets_the_names_of_every_page_in_order(
    secret: Secret, server: ProtocolServer, count: int
) -> None:
    server.secrets = {f"S{i}": "canary" for i in reversed(range(count))}
    assert lines(secret("list").stdout) == [f"S{i}" for i in range(count)]


def test_json_is_an_array_of_what_the_api_shows(secret: Secret, server: ProtocolServer) -> None:
    server.updated["GREETING"] = CREATED_MS + 1
    assert json.loads(secret("list", "--json").stdout) == [
        {
            "id": secret_id("DATABASE_PASSWORD"),
            "name": "DATABASE_PASSWORD",
            "create_time_ms": CREATED_MS,
            "update_time_ms": CREATED_MS,
        },
        {
            "id": secret_id("GREETING"),
            "name": "GREETING",
            "create_time_ms": CREATED_MS,
            "update_time_ms": CREATED_MS + 1,
        },
    ]


def test_a_terminal_shows_a_table(environment: dict[str, str], tmp_path: Path) -> None:
    command = ["strongroom", "secret", "list", "--search", "greet"]
    with PseudoTerminal(command, environment, tmp_path) as terminal:
        shown = [line.split() for line in terminal.rest().splitlines()]
    moment = "2023-11-14T22:13:20Z"
    assert shown == [["name", "updated_at", "id"], ["GREETING", moment, secret_id("GREETING")]]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_failure(
    environment: dict[str, str], tmp_path: Path, closed: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f"strongroom secret list {closed}"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_says_that_there_is_nothing_to_show(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = ["strongroom", "secret", "list", "--older", "99999w"]
    with PseudoTerminal(command, environment, tmp_path) as terminal:
        assert terminal.rest() == "strongroom secret list: no secret matches\r\n"


@pytest.mark.parametrize("text", ["GREET", "greet", "ting"])
def test_search_finds_a_part_of_a_name_in_either_case(secret: Secret, text: str) -> None:
    assert lines(secret("list", "--search", text).stdout) == ["GREETING"]


def test_older_lists_values_that_were_set_longer_ago(
    secret: Secret, server: ProtocolServer
) -> None:
    now = time.time_ns() // 1_000_000
    server.updated = {"GREETING": now - 91 * DAY_MS, "DATABASE_PASSWORD": now - 89 * DAY_MS}
    assert lines(secret("list", "--older", "90d").stdout) == ["GREETING"]


@pytest.mark.parametrize("text", ["90", "90x", "-1d", ""])
def test_a_malformed_span_of_time_is_refused(secret: Secret, text: str) -> None:
    result = secret("list", "--older", text)
    assert (result.returncode, b"Units" in result.stderr) == (125, True)


GOOD = {"id": "sec_1", "name": "A", "create_time_ms": 1, "update_time_ms": 1}
NONSENSE = [
    {},
    {"secrets": {}, "has_more": False},
    {"secrets": [GOOD], "has_more": 1},
    {"secrets": [], "has_more": True},
    {"secrets": ["A"], "has_more": False},
    {"secrets": [GOOD | {"name": "A\nB"}], "has_more": False},
    {"secrets": [GOOD | {"name": "\x1b[2J"}], "has_more": False},
    {"secrets": [GOOD | {"id": "../x"}], "has_more": False},
    {"secrets": [GOOD | {"update_time_ms": 10**15}], "has_more": False},
    {"secrets": [GOOD | {"update_time_ms": True}], "has_more": False},
    {"secrets": [GOOD | {"create_time_ms": -1}], "has_more": False},
]


@pytest.mark.parametrize("page", NONSENSE, ids=range(len(NONSENSE)))
def test_a_page_that_is_none_is_refused_and_prints_nothing(
    secret: Secret, server: ProtocolServer, page: dict[str, object]
) -> None:
    server.troubles.append(lambda _, __: (200, page, {}))
    result = secret("list", "--timeout", "0")
    assert (result.returncode, result.stdout) == (124, b"")


def test_an_unexpected_response_is_called_so(secret: Secret, server: ProtocolServer) -> None:
    server.troubles += [lambda _, __: (200, {}, {})] * 20
    assert b"sent an unexpected response" in secret("list", "--timeout", "2").stderr


NO_DOCUMENTS = {
    "HTML": b"<html>",
    "nothing": b"",
    "an array": b"[]",
    "brackets": b'{"secrets":' + b"[" * 200_000,
    "no UTF-8": b'{"secrets": "\xff"}',
    "too many digits": b'{"secrets": ' + b"1" * 10_000 + b"}",
    "more than 8 MiB": b" " * (8 << 20) + b"{}",
}


@pytest.mark.parametrize("body", NO_DOCUMENTS.values(), ids=NO_DOCUMENTS)
def test_a_body_that_is_no_document_is_refused_and_prints_nothing(
    secret: Secret, server: ProtocolServer, body: bytes
) -> None:
    server.troubles.append(lambda _, __: (200, body, {}))
    result = secret("list", "--timeout", "0")
    assert (result.returncode, result.stdout) == (124, b"")
    assert len(result.stderr) < 200


def test_an_error_page_that_is_no_document_is_reported_by_its_status(
    secret: Secret, server: ProtocolServer
) -> None:
    server.troubles.append(lambda _, __: (404, b"<html>" * 1000, {}))
    result = secret("list")
    assert (result.returncode, b"responded with 404" in result.stderr) == (123, True)
    assert b"html" not in result.stderr


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["names", "json"])
def test_a_full_disk_is_reported_once(environment: dict[str, str], form: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            ["strongroom", "secret", "list", *form],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    text = "strongroom secret list: the output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (125, text)


def test_a_reader_that_is_gone_is_no_fault_to_report(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        ["strongroom", "secret", "list"],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_page_that_comes_again_is_refused(secret: Secret, server: ProtocolServer) -> None:
    page = {"secrets": [GOOD], "has_more": True}
    server.troubles += [lambda _, __: (200, page, {})] * 3
    result = secret("list")
    assert (result.returncode, b"lists secrets twice" in result.stderr) == (124, True)


@pytest.mark.parametrize("arguments", [(), ("frob",), ("--frob",), ("list", "--frob")])
def test_a_wrong_command_line_ends_with_125(secret: Secret, arguments: tuple[str, ...]) -> None:
    assert secret(*arguments).returncode == 125
