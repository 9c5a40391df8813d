"""``strongroom secret import`` prints nothing of a value, whatever is wrong with file or server."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.client.import_files.reading import FORMATS
from app.client.secret.group import secret
from tests.unit.app.client.protocol_server import (
    API_KEY,
    Answer,
    Cut,
    Exchange,
    ProtocolServer,
    refusal,
    serving,
)

CANARY = "CanaryLeft.CanaryRight"  # no name has a dot, so no line break makes it a name

Import = Callable[..., Result]


@pytest.fixture(scope="module")
def server() -> Iterator[ProtocolServer]:
    with serving({}) as server:
        yield server


@pytest.fixture(scope="module")
def run_import(server: ProtocolServer) -> Iterator[Import]:
    """Run the command in this process, which stays open to debuggers, with a text as its file."""

    def run(text: bytes, *arguments: str) -> Result:
        environ = {"RUNLOOP_BASE_URL": server.url, "RUNLOOP_API_KEY": API_KEY}
        return CliRunner().invoke(secret, ["import", "-", *arguments], input=text, obj=environ)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.client.command_line.forbid_dumps", lambda: None)
        patch.setattr("app.client.command_line.erase_credentials", lambda: None)
        yield run


def echo(exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
    """Refuse every write, and repeat all of it in several ways."""
    if exchange.verb != "POST":
        return proceed()
    texts = [str(each) for each in exchange.body.values()]
    return refusal(400, texts[-1], f"{json.dumps(exchange.body)} {texts} {' '.join(texts)}")


def env_text(values: dict[str, str]) -> str:
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in values.items()}
    return "".join(f'{name}="{value}"\n' for name, value in escaped.items())


WRITERS: dict[str, Callable[[dict[str, str]], str]] = {
    "env": env_text,
    "docker": lambda values: "".join(f"{k}={v}\n" for k, v in values.items()),
    "json": json.dumps,
    "yaml": lambda values: yaml.safe_dump(values, allow_unicode=True),
}

_TEXT = st.text(alphabet="ab=:#'\"\\ \n\t${}[]&*!|>-,é\0", max_size=12)
_VALUES = st.dictionaries(
    st.from_regex("[A-Z][A-Z0-9_]{0,8}", fullmatch=True),
    st.builds(lambda before, after: before + CANARY + after, _TEXT, _TEXT),
    min_size=1,
    max_size=4,
)


def broken(text: str, at: int, piece: str, cut: int) -> bytes:
    """The text with a piece put in, or characters cut out, outside of every canary."""
    inside = [i for found in re.finditer(re.escape(CANARY), text) for i in range(*found.span())]
    at %= len(text) + 1
    if any(i in inside for i in (at - 1, *range(at, at + cut))):
        return text.encode()
    return (text[:at] + piece + text[at + cut :]).encode()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("flags", [(), ("--dry-run",), ("--update",)], ids=" ".join)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=_VALUES, at=st.integers(0, 10_000), piece=_TEXT, cut=st.integers(0, 3))
def test_no_output_has_anything_of_a_value(
    run_import: Import,
    server: ProtocolServer,
    kind: str,
    flags: tuple[str, ...],
    values: dict[str, str],
    at: int,
    piece: str,
    cut: int,
) -> None:
    server.troubles = [echo] * 50
    result = run_import(broken(WRITERS[kind](values), at, piece, cut), "--format", kind, *flags)
    assert result.exit_code in {0, 123, 125}
    assert "Canary" not in result.output.replace(API_KEY, "")


def repeated(exchange: Exchange) -> str:
    return f"{exchange.body.get('value')} {json.dumps(exchange.body)}"


FAILURES: dict[str, Callable[[Exchange], Answer | Cut | None]] = {
    "refused": lambda exchange: refusal(400, "no", repeated(exchange)),
    "refused in the code": lambda exchange: refusal(400, repeated(exchange), "No."),
    "down": lambda exchange: refusal(503, "down", repeated(exchange), Retry_After="999"),
    "redirected": lambda exchange: (302, {}, {"Location": f"/{exchange.body.get('name')}"}),
    "unexpected": lambda exchange: (200, {"id": repeated(exchange)}, {}),
    "no JSON": lambda exchange: (200, repeated(exchange).encode(), {}),
    "cut": lambda exchange: Cut((200, {"id": repeated(exchange)}, {}), 80),
    "lost": lambda _: None,
    "no HTTP": lambda exchange: Cut((0, repeated(exchange).encode(), {}), 1000),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("flags", [(), ("--update",)], ids=["create", "update"])
def test_no_failure_of_the_server_prints_anything_of_a_value(
    run_import: Import,
    server: ProtocolServer,
    flags: tuple[str, ...],
    failure: Callable[[Exchange], Answer | Cut | None],
) -> None:
    server.secrets = {"A": "before"} if flags else {}
    server.troubles = [
        lambda exchange, proceed: failure(exchange) if exchange.verb == "POST" else proceed()
    ] * 50
    result = run_import(env_text({"A": CANARY}).encode(), "--timeout", "0.5", *flags)
    assert result.exit_code != 0
    assert "Canary" not in result.output.replace(API_KEY, "")
