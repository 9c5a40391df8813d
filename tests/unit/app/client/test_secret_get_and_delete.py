"""``strongroom secret get`` and ``delete``: one secret's times, and its end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Secret
from tests.unit.app.client.protocol_server import (
    CREATED_MS,
    ProtocolServer,
    cut_off_after,
    refusal,
    secret_id,
)
from tests.unit.app.client.pseudo_terminal import PseudoTerminal


@pytest.fixture
def asked(environment: dict[str, str], tmp_path: Path) -> Iterator[PseudoTerminal]:
    """``strongroom secret delete`` on a terminal, after its question."""
    command = ["strongroom", "secret", "delete", "GREETING", "DATABASE_PASSWORD"]
    with PseudoTerminal(command, environment, tmp_path) as terminal:
        terminal.expect(r"Delete GREETING, DATABASE_PASSWORD\? .* \[y/N\]: ")
        yield terminal


@pytest.mark.parametrize("given", ["GREETING", secret_id("GREETING")])
def test_get_shows_a_secret_by_name_or_id(secret: Secret, given: str) -> None:
    assert secret("get", given).stdout.decode() == (
        f"name:    GREETING\nid:      {secret_id('GREETING')}\n"
        "created: 2023-11-14T22:13:20Z\nupdated: 2023-11-14T22:13:20Z\n"
    )


def test_a_name_is_numbered_only_among_several(secret: Secret) -> None:
    rule = "must be a name in ASCII letters, digits, _ and -."
    assert f"  NAME {rule}\n" in secret("get", "Ö").stderr.decode()
    assert f"  NAME 2 {rule}\n" in secret("delete", "--yes", "GREETING", "Ö").stderr.decode()


def test_get_prints_json_as_the_api_has_it(secret: Secret, server: ProtocolServer) -> None:
    server.updated["GREETING"] = CREATED_MS + 1
    assert json.loads(secret("get", "GREETING", "--json").stdout) == server.row("GREETING")


def test_get_names_a_secret_that_is_missing(secret: Secret) -> None:
    result = secret("get", "MISSING")
    assert (result.returncode, result.stdout) == (123, b"")
    assert b"MISSING: the server responded with 404" in result.stderr


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"id": 1, "name": "GREETING", "create_time_ms": 1, "update_time_ms": 1},
        {"id": "sec_1", "name": "A\x1b[2J", "create_time_ms": 1, "update_time_ms": 1},
        {"id": "sec_1", "name": "A", "create_time_ms": "1", "update_time_ms": 1},
    ],
)
def test_a_response_without_a_secret_prints_nothing(
    secret: Secret, server: ProtocolServer, row: dict[str, object]
) -> None:
    server.troubles.append(lambda _, __: (200, row, {}))
    result = secret("get", "GREETING", "--timeout", "0")
    assert (result.returncode, result.stdout) == (124, b"")


@pytest.mark.parametrize("given", ["GREETING", secret_id("GREETING")])
def test_delete_ends_a_secret_by_name_or_id(
    secret: Secret, server: ProtocolServer, given: str
) -> None:
    assert secret("delete", "--yes", given).returncode == 0
    assert "GREETING" not in server.secrets


def test_without_a_terminal_yes_must_be_given(secret: Secret, server: ProtocolServer) -> None:
    result = secret("delete", "GREETING", given=b"y\n")
    assert (result.returncode, b"--yes" in result.stderr, server.exchanges) == (125, True, [])


def test_a_person_who_agrees_deletes(asked: PseudoTerminal, server: ProtocolServer) -> None:
    asked.type("y\n")
    assert (asked.wait(), server.secrets) == (0, {})


@pytest.mark.parametrize(
    ("keys", "code"), [("n\n", 125), ("\n", 125), ("\x03", 130), ("\x04", 125)]
)
def test_a_person_who_does_not_agree_deletes_nothing(
    asked: PseudoTerminal, server: ProtocolServer, keys: str, code: int
) -> None:
    asked.type(keys)
    assert (asked.wait(), server.exchanges) == (code, [])


def test_one_failure_does_not_keep_the_others(secret: Secret, server: ProtocolServer) -> None:
    result = secret("delete", "--yes", "DATABASE_PASSWORD", "MISSING", "ABSENT", "GREETING")
    assert (result.returncode, server.secrets) == (6, {})
    assert b"2 of 4 were deleted" in result.stderr
    assert b"MISSING" in result.stderr
    assert b"ABSENT" in result.stderr


def test_a_failure_of_all_has_its_own_exit_code(secret: Secret) -> None:
    assert secret("delete", "--yes", "MISSING", "ABSENT").returncode == 123


def test_once_the_server_is_away_no_other_is_tried(secret: Secret, server: ProtocolServer) -> None:
    busy = refusal(503, "storage_unavailable", "Busy.", Retry_After="60")
    server.troubles += [lambda _, proceed: proceed(), lambda _, __: busy]
    names = ("GREETING", "DATABASE_PASSWORD", "MISSING")
    result = secret("delete", "--yes", "--timeout", "5", *names)
    assert (result.returncode, len(server.exchanges)) == (6, 2)
    assert b"MISSING: not tried" in result.stderr


def test_a_secret_that_is_named_twice_is_deleted_once(
    secret: Secret, server: ProtocolServer
) -> None:
    assert secret("delete", "--yes", "GREETING", "GREETING").returncode == 0
    assert len(server.exchanges) == 1


def test_a_lost_response_is_asked_for_again_with_the_same_request_id(
    secret: Secret, server: ProtocolServer
) -> None:
    server.troubles.append(cut_off_after)
    secret("delete", "--yes", "GREETING")
    first, second = (exchange.headers["x-request-id"] for exchange in server.exchanges)
    assert first == second


def test_a_text_that_is_no_name_is_not_repeated(secret: Secret, server: ProtocolServer) -> None:
    for command in ("get", "delete"):
        result = secret(command, "canary value")
        assert (result.returncode, b"canary" in result.stderr) == (125, False)
    assert server.exchanges == []
