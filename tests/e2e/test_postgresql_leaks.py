"""A thousand values through every way in, on a PostgreSQL server that logs all that it can."""

from pathlib import Path

import pytest

from tests.e2e.canaries import canary, forms, forms_of_bytes
from tests.e2e.test_leaks import WAYS
from tests.e2e.test_postgresql_failures import serving
from tests.support.deployment import GATEWAY_URL
from tests.support.postgresql import postgresql_server

pytestmark = pytest.mark.slow

_VALUES = 1000
_TALKATIVE = (
    "log_statement=all",
    "log_min_messages=debug1",
    "log_min_error_statement=debug5",
    "log_error_verbosity=verbose",
    "log_parameter_max_length=-1",
    "log_parameter_max_length_on_error=-1",
    "log_duration=on",
    "log_connections=on",
    "track_activity_query_size=65536",
)


def files_of(*directories: Path) -> list[Path]:
    return [file for each in directories for file in each.rglob("*") if file.is_file()]


def holding(files: list[Path], searched: dict[str, bytes]) -> set[tuple[str, str]]:
    """The names of the files that hold something, and of the form in which they do."""
    found = set()
    for file in files:
        content = file.read_bytes()
        found |= {(file.name, name) for name, form in searched.items() if form in content}
    return found


def tokens_of(token: str) -> dict[str, bytes]:
    """The forms of the secret part of a token."""
    return forms_of_bytes(token.rpartition("_")[2].encode())


@pytest.mark.timeout(600)
def test_no_value_and_no_token_is_in_a_file_or_log_of_the_database(tmp_path: Path) -> None:
    with (
        postgresql_server(*_TALKATIVE) as database,
        serving(tmp_path, database, STRONGROOM_GATEWAY_URL=GATEWAY_URL) as (_, account),
    ):
        account.create("KNOWN")
        for number in range(_VALUES):
            way = list(WAYS.values())[number % len(WAYS)]
            way(account, canary(number), f"NAME_{number}")
        body = {"secrets": {"KNOWN": "KNOWN"}}
        injected = account.call("POST", "/v1/injections", body).json()["token"]
        assert set(account.values("KNOWN")) == {"KNOWN"}
        wanted = {"gateway": "anthropic", "secret": "KNOWN"}
        box = "/v1/devboxes/a-box/create_gateway_token"
        of_gateway = account.call("POST", box, wanted).json()["token"]
        database.execute("CHECKPOINT")
        files = files_of(database.directory, tmp_path)

        assert holding(files, forms()) == set()
        assert holding(files, tokens_of(account.token)) == set()
        assert holding(files, tokens_of(injected)) == set()
        assert holding(files, tokens_of(of_gateway)) == set()
        seen = {name for name, _ in holding(files, {"a name": b"NAME_0"})}
        assert "log" in seen  # what was sent is there
        assert len(seen) > 1, seen  # in data files and in the write-ahead log, too
