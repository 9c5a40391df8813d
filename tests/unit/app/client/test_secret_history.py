"""``strongroom secret history`` and ``rollback``: the versions of a secret, and a way back."""

import json

import pytest

from tests.unit.app.client.conftest import Secret
from tests.unit.app.client.protocol_server import (
    CREATED_MS,
    Answer,
    ProtocolServer,
    cut_off_after,
    refusal,
    secret_id,
)

TABLE = """\
version  set_at                set_by    current
3        2023-11-14T22:13:20Z  key_of_3  yes
2        2023-11-14T22:13:20Z  key_of_2  no
1        2023-11-14T22:13:20Z  -         no
"""


@pytest.fixture
def server(server: ProtocolServer) -> ProtocolServer:
    """One whose secret GREETING has three versions."""
    server.secrets = {"GREETING": "third", "OTHER": "only"}
    server.replaced = {"GREETING": ["first", "second"]}
    return server


@pytest.mark.parametrize("given", ["GREETING", secret_id("GREETING")])
def test_history_lists_versions_from_the_current_one_down(secret: Secret, given: str) -> None:
    result = secret("history", given)
    assert (result.returncode, result.stdout.decode()) == (0, TABLE)


def test_history_prints_json_as_the_api_has_it(secret: Secret) -> None:
    assert json.loads(secret("history", "GREETING", "--json").stdout)[2] == {
        "version": 1,
        "create_time_ms": CREATED_MS + 1,
        "created_by": None,
        "is_current": False,
    }


@pytest.mark.parametrize("given", ["GREETING", secret_id("GREETING")])
def test_a_rollback_goes_to_the_version_before(
    secret: Secret, server: ProtocolServer, given: str
) -> None:
    result = secret("rollback", given)
    assert server.secrets["GREETING"] == "second"
    assert result.stderr.decode() == (
        f"strongroom secret rollback: {given}: rolled back to version 2, which is now version 4\n"
    )


def test_a_rollback_goes_to_the_version_that_is_named(
    secret: Secret, server: ProtocolServer
) -> None:
    assert secret("rollback", "GREETING", "--to", "1").returncode == 0
    assert server.secrets["GREETING"] == "first"


def test_a_rollback_whose_response_is_lost_is_repeated_with_its_request_id(
    secret: Secret, server: ProtocolServer
) -> None:
    server.troubles.append(cut_off_after)
    assert secret("rollback", "GREETING", "--to", "1").returncode == 0
    first, second = (each.headers["x-request-id"] for each in server.exchanges)
    assert first == second


def test_without_an_old_value_nothing_is_done(secret: Secret, server: ProtocolServer) -> None:
    result = secret("rollback", "OTHER")
    assert result.returncode == 123
    assert "  OTHER: the server has no old value of it.\n" in result.stderr.decode()
    assert [each.verb for each in server.exchanges] == ["GET"]


def test_a_version_that_is_missing_is_said_by_the_server(secret: Secret) -> None:
    result = secret("rollback", "GREETING", "--to", "9")
    assert result.returncode == 123
    assert "  GREETING: the server responded with 404: There is no such version." in (
        result.stderr.decode()
    )


@pytest.mark.parametrize("number", ["0", "-1", "x", ""])
def test_what_is_no_number_of_a_version_is_not_sent(
    secret: Secret, server: ProtocolServer, number: str
) -> None:
    assert secret("rollback", "GREETING", "--to", number).returncode == 125
    assert server.exchanges == []


WITHOUT_VERSIONS: dict[str, Answer] = {
    "an earlier version of ours": refusal(404, "not_found", "There is nothing at this path."),
    "another server": (404, b"<html>not here</html>", {}),
}


@pytest.mark.parametrize("answer", WITHOUT_VERSIONS.values(), ids=WITHOUT_VERSIONS)
@pytest.mark.parametrize("command", [["history"], ["rollback"], ["rollback", "--to", "1"]])
def test_a_server_without_old_values_is_named_as_such(
    secret: Secret, server: ProtocolServer, command: list[str], answer: Answer
) -> None:
    server.troubles.append(lambda _, __: answer)
    result = secret(*command, "GREETING")
    assert result.returncode == 123
    assert "  GREETING: the server at RUNLOOP_BASE_URL keeps no old values" in (
        result.stderr.decode()
    )


def test_a_secret_that_is_missing_is_not_taken_for_a_server_without_old_values(
    secret: Secret,
) -> None:
    result = secret("history", "MISSING")
    assert result.returncode == 123
    assert b"MISSING: the server responded with 404: There is no secret named" in result.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": "1"},
        {"create_time_ms": None},
        {"created_by": "key\x1b[2J"},
        {"created_by": 1},
        {"is_current": "yes"},
    ],
    ids=range(6),
)
def test_a_response_without_versions_prints_nothing(
    secret: Secret, server: ProtocolServer, change: dict[str, object]
) -> None:
    row = {"version": 1, "create_time_ms": 1, "created_by": None, "is_current": True} | change
    server.troubles.append(lambda _, __: (200, {"versions": [row]}, {}))
    result = secret("history", "GREETING", "--timeout", "0")
    assert (result.returncode, result.stdout) == (124, b"")
