"""Values where names of secrets belong, as in a .env file: not sent, not printed, by no way."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Run, Secret
from tests.unit.app.client.protocol_server import (
    Answer,
    Exchange,
    ProtocolServer,
    refusal,
)

EITHER_WAY = pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])

DOTENV = """\
# settings of the service
export DB_HOST=localhost
DB_PASS=hunter2
API_TOKEN="canary token"
DATABASE_URL=postgres://user:canary@localhost/db
DEBUG=true
"""
PLAIN_DOTENV = "DB_PASS=hunter2\nDB_USER=postgres\nGREETING\n"
VALUES = [
    "hunter2",
    "correct-horse-battery-staple",
    "JBSWY3DPEHPK3PXP",
    "ab12CD34ef56",
    "c3RyaW5n",
    "deadbeef",
    "Tr0ub4dor",
    "ABCD_1234_EF56_7890",
]
NOT_NAMES = [
    "https://canary.example/path",
    "postgres://user:canary@localhost/db",
    "canary value",
    "canary=",
    "'canary'",
    "ghp_canary0123456789abcdef0123456789abcd",
    "canary!",
]


def said(run: Run, *arguments: str, **more: str) -> tuple[int, str]:
    result = run(*arguments, **more)
    return result.returncode, result.stdout + result.stderr


def sent(server: ProtocolServer) -> str:
    """Everything that came over the wire, except our key."""
    return "".join(f"{each.verb} {each.path} {each.query} {each.body}" for each in server.exchanges)


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text(DOTENV)
    return file


@EITHER_WAY
def test_a_file_with_values_is_neither_sent_nor_printed(
    run: Run, server: ProtocolServer, dotenv: Path, mask: tuple[str, ...]
) -> None:
    code, text = said(run, *mask, "--from", str(dotenv), "--", "true")
    assert (code, server.exchanges) == (125, [])
    assert [value for value in ("hunter2", "canary", "localhost") if value in text] == []


@pytest.mark.parametrize("command", [("token",), ("secret", "export")])
@pytest.mark.parametrize("content", [DOTENV, PLAIN_DOTENV])
def test_a_token_and_an_export_treat_a_file_with_values_alike(
    environment: dict[str, str],
    server: ProtocolServer,
    dotenv: Path,
    command: tuple[str, ...],
    content: str,
) -> None:
    dotenv.write_text(content)
    result = subprocess.run(
        ["strongroom", *command, "--from", str(dotenv)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (125, "")
    for value in ("hunter2", "canary", "postgres"):
        assert value not in result.stderr + sent(server)


def test_the_message_says_what_the_file_is_and_how_to_import_it(run: Run, dotenv: Path) -> None:
    _, text = said(run, "--from", str(dotenv), "--", "true")
    assert "line" in text
    assert "a .env file" in text
    assert f"strongroom secret import {dotenv}" in text
    assert text.count(str(dotenv)) == 2


@EITHER_WAY
def test_values_that_look_like_names_are_neither_sent_nor_printed(
    run: Run, server: ProtocolServer, tmp_path: Path, mask: tuple[str, ...]
) -> None:
    mapping = tmp_path / "secrets.map"
    mapping.write_text(PLAIN_DOTENV)
    code, text = said(run, *mask, "--from", str(mapping), "--", "true")
    assert (code, "secrets.map, lines 1, 2:" in text) == (125, True)
    assert "secret import" in text
    for value in ("hunter2", "postgres"):
        assert value not in text + sent(server)


@EITHER_WAY
def test_every_name_in_a_dotenv_file_is_compared(
    run: Run, server: ProtocolServer, tmp_path: Path, mask: tuple[str, ...]
) -> None:
    (tmp_path / ".env").write_text("GREETING\nAPP_MODE=CANARY_MODE\n")
    code, text = said(run, *mask, "--from", ".env", "--", "true")
    assert (code, ".env, line 2:" in text) == (125, True)
    assert "CANARY_MODE" not in text + sent(server)


def test_a_file_with_the_name_of_a_dotenv_file_may_be_a_mapping(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HELLO=GREETING\nDATABASE_PASSWORD\n")
    assert run("--from", ".env", "--", "sh", "-c", "echo $HELLO").stdout == "canary-hello\n"


def test_a_single_word_in_another_variable_is_compared(run: Run, server: ProtocolServer) -> None:
    code, text = said(run, "--secret", "DB_PASS=HUNTER", "--", "true")
    assert (code, "DB_PASS=…" in text) == (125, True)
    assert "HUNTER" not in text + sent(server)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("form", ["{}", "DB_PASS={}"])
@pytest.mark.parametrize("option", ["--secret", "--file"])
def test_an_option_with_a_value_is_neither_sent_nor_printed(
    run: Run, server: ProtocolServer, option: str, form: str, value: str
) -> None:
    code, text = said(run, option, form.format(value), "--", "true")
    assert (code, option in text) == (125, True)
    assert value not in text + sent(server)


@pytest.mark.parametrize("text", NOT_NAMES)
@pytest.mark.parametrize("form", ["{}", "DB_PASS={}"])
def test_what_is_no_name_is_refused_before_the_server_is_asked(
    run: Run, server: ProtocolServer, form: str, text: str
) -> None:
    code, shown = said(run, "--secret", form.format(text), "--", "true")
    assert (code, server.exchanges) == (125, [])
    assert "--secret" in shown
    assert "canary" not in shown


def test_the_variable_of_a_wrong_option_is_named(run: Run) -> None:
    code, text = said(run, "--secret", "DB_PASS=canary!", "--secret", "OTHER=x y", "--", "true")
    assert (code, "--secret DB_PASS=…" in text, "--secret OTHER=…" in text) == (125, True, True)


@pytest.mark.parametrize("name", ["db_pass", "my-key", "api2"])
def test_a_name_of_the_account_is_found_however_it_looks(
    run: Run, server: ProtocolServer, name: str
) -> None:
    server.secrets[name] = "canary-found"
    result = run("--secret", f"FOUND={name}", "--", "sh", "-c", "echo $FOUND")
    assert result.stdout == "canary-found\n"


def test_names_in_capitals_need_no_list(run: Run, server: ProtocolServer) -> None:
    run("--secret", "A=DATABASE_PASSWORD", "--secret", "GREETING", "--", "true")
    assert "/v1/secrets" not in {each.path for each in server.exchanges}


def may_not_list(exchange: Exchange, _: object) -> Answer:
    assert exchange.path == "/v1/secrets"
    return refusal(403, "scope_missing", "The API key lacks the scope secrets:read.")


def test_a_key_that_may_not_list_still_injects_names_in_words(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets["my-key"] = "canary-found"
    server.troubles.append(may_not_list)
    result = run("--secret", "FOUND=my-key", "--", "sh", "-c", "echo $FOUND")
    assert result.stdout == "canary-found\n"


@pytest.mark.parametrize("value", ["ab12CD34ef56", "9f8e7d6c", "x" * 30])
def test_a_key_that_may_not_list_sends_nothing_that_looks_generated(
    run: Run, server: ProtocolServer, value: str
) -> None:
    server.troubles.append(may_not_list)
    code, text = said(run, "--secret", f"DB_PASS={value}", "--", "true")
    assert (code, "DB_PASS" in text) == (125, True)
    assert value not in text + sent(server)


@pytest.mark.parametrize("name", [".env", ".env.local", "production.env"])
def test_a_key_that_may_not_list_sends_no_value_of_a_dotenv_file(
    run: Run, server: ProtocolServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("DB_PASS=hunter\n")
    server.troubles.append(may_not_list)
    code, text = said(run, "--from", name, "--", "true")
    assert (code, "secret import" in text) == (125, True)
    assert "hunter" not in text + sent(server)


def test_a_key_that_may_not_list_sends_ids(
    run: Run, server: ProtocolServer, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"HELLO={server.row('GREETING')['id']}\n")
    server.troubles.append(may_not_list)
    result = run("--from", ".env", "--", "sh", "-c", "echo $HELLO")
    assert result.stdout == "canary-hello\n"


def test_an_echo_of_a_name_that_was_not_compared_is_not_printed(
    run: Run, server: ProtocolServer
) -> None:
    server.troubles.append(may_not_list)
    code, text = said(run, "--secret", "DB_PASS=hunter", "--", "true")
    assert (code, "404" in text, "--secret DB_PASS=…" in text) == (123, True, True)
    assert "hunter" not in text


def test_an_assignment_in_place_of_the_command_is_not_printed(run: Run) -> None:
    code, text = said(run, "--secret", "GREETING", "--", "DB_PASS=canary", "true")
    assert (code, "DB_PASS=…: there is no such command" in text) == (127, True)
    assert "canary" not in text


@pytest.mark.parametrize("hyphen", ["db-pass", "my-api-key"])
def test_a_name_with_hyphens_alone_gets_a_message_with_what_to_type(
    run: Run, server: ProtocolServer, hyphen: str
) -> None:
    server.secrets[hyphen] = "x"
    code, text = said(run, "--secret", hyphen, "--", "true")
    variable = hyphen.replace("-", "_").upper()
    assert (code, "needs a variable" in text) == (125, True)
    assert f"--secret {variable}={hyphen}" in text


def test_an_unknown_name_with_hyphens_is_shown_by_an_example(run: Run) -> None:
    code, text = said(run, "--secret", "canary-canary", "--", "true")
    assert (code, "--secret MY_KEY=my-key" in text, "canary" in text) == (125, True, False)


def test_a_line_with_hyphens_alone_gets_a_message_with_what_to_write(
    run: Run, server: ProtocolServer, tmp_path: Path
) -> None:
    server.secrets["db-pass"] = "x"
    (tmp_path / "secrets.map").write_text("GREETING\ndb-pass\n")
    code, text = said(run, "--from", "secrets.map", "--", "true")
    assert (code, "secrets.map, line 2" in text) == (125, True)
    assert "as in DB_PASS=db-pass" in text


ON_ONE_SECRET = pytest.mark.parametrize("command", [("get",), ("delete", "--yes"), ("history",)])


@ON_ONE_SECRET
@pytest.mark.parametrize("value", VALUES)
def test_a_value_in_place_of_one_name_is_neither_sent_nor_printed(
    secret: Secret, server: ProtocolServer, command: tuple[str, ...], value: str
) -> None:
    result = secret(*command, "GREETING", value) if "--yes" in command else secret(*command, value)
    assert (result.returncode, b"NAME" in result.stderr) == (125, True)
    assert value not in (result.stdout + result.stderr).decode() + sent(server)
    assert "GREETING" in server.secrets


@ON_ONE_SECRET
@pytest.mark.parametrize("name", ["db_pass", "ab12CD34ef56"])
def test_a_name_that_looks_like_a_value_is_one_if_the_account_has_it(
    secret: Secret, server: ProtocolServer, command: tuple[str, ...], name: str
) -> None:
    server.secrets[name] = "canary-found"
    assert secret(*command, name).returncode == 0


@ON_ONE_SECRET
def test_a_key_that_may_not_list_sends_no_value_in_place_of_one_name(
    secret: Secret, server: ProtocolServer, command: tuple[str, ...]
) -> None:
    server.troubles.append(may_not_list)
    result = secret(*command, "ab12CD34ef56")
    assert (result.returncode, b"the secret's id" in result.stderr) == (125, True)
    assert "ab12CD34ef56" not in result.stderr.decode() + sent(server)


@ON_ONE_SECRET
def test_a_key_that_may_not_list_sends_words_in_place_of_one_name(
    secret: Secret, server: ProtocolServer, command: tuple[str, ...]
) -> None:
    server.secrets["my-key"] = "canary-found"
    server.troubles.append(may_not_list)
    assert secret(*command, "my-key").returncode == 0
