"""``run --all``: no secret of an account stops it, and one line says what it left out."""

from collections.abc import Callable

import pytest

from app.client.api import Server
from app.client.redeem import Allowed, countdown, prepare
from app.client.selection import Chosen, leave_out_oversized, values_of
from tests.unit.app.client.conftest import Run
from tests.unit.app.client.protocol_server import API_KEY, Answer, Exchange, ProtocolServer, refusal

SHOW = ("--", "sh", "-c", "env | grep canary | sort")


def left_out(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if "--all left out" in line]
    assert len(lines) == 1, stderr
    return lines[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LD_PRELOAD", "controls programs"),
        ("PATH", "controls programs"),
        ("my-key", "no name of a variable; --secret MY_KEY=my-key"),
        ("TAKEN", "already set; --override"),
    ],
)
def test_a_name_that_cannot_be_set_is_left_out_with_the_reason(
    run: Run, server: ProtocolServer, name: str, reason: str
) -> None:
    server.secrets = {name: "canary-not", "GREETING": "canary-hello"}
    result = run("--all", *SHOW, TAKEN="mine")
    assert (result.returncode, result.stdout) == (0, "GREETING=canary-hello\n")
    assert "left out 1 of 2" in left_out(result.stderr)
    assert f"{name} ({reason}" in left_out(result.stderr)


def test_names_with_one_reason_are_counted(run: Run, server: ProtocolServer) -> None:
    server.secrets = {f"LD_{i}": "x" for i in range(9)} | {"GREETING": "canary"}
    line = left_out(run("--all", *SHOW).stderr)
    assert "left out 9 of 10: LD_0, LD_1, LD_2 and 6 more (controls programs" in line


def test_nothing_is_said_if_nothing_was_left_out(run: Run) -> None:
    assert run("--all", "--", "true").stderr == ""


def test_the_command_starts_even_if_everything_is_left_out(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {"PATH": "canary"}
    result = run("--all", "--", "echo", "started")
    assert (result.stdout, "1 of 1" in result.stderr) == ("started\n", True)


def test_an_account_without_secrets_is_refused(run: Run, server: ProtocolServer) -> None:
    server.secrets = {}
    result = run("--all", "--", "true")
    assert (result.returncode, "the account has none" in result.stderr) == (125, True)


@pytest.mark.parametrize("chosen", ["DB=DATABASE_PASSWORD", "DB=sec_DATABASE_PASSWORD"])
def test_a_chosen_secret_is_not_taken_twice(run: Run, server: ProtocolServer, chosen: str) -> None:
    server.secrets = {"DATABASE_PASSWORD": "canary-1", "GREETING": "canary-2"}
    chosen = chosen.replace("sec_DATABASE_PASSWORD", server.row("DATABASE_PASSWORD")["id"])
    result = run("--all", "--secret", chosen, *SHOW)
    assert result.stdout == "DB=canary-1\nGREETING=canary-2\n"
    assert result.stderr == ""


def test_more_secrets_than_an_injection_has_come_by_several(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {f"S_{i}": f"canary-{i}" for i in range(600)}
    result = run("--all", *SHOW)
    assert len(result.stdout.split()) == 600
    sizes = [len(each.body["secrets"]) for each in server.exchanges if "secrets" in each.body]
    assert sorted(sizes) == [88, 256, 256]


def test_more_chosen_secrets_than_an_injection_has_come_by_several(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {f"NAME_{i}": f"canary-{i}" for i in range(300)}
    entries = [part for name in server.secrets for part in ("--secret", name)]
    assert len(run(*entries, *SHOW).stdout.split()) == 300


def test_long_names_are_divided_by_their_bytes(run: Run, server: ProtocolServer) -> None:
    server.secrets = {f"S_{i}_{'X' * 240}": "canary" for i in range(130)}
    assert len(run("--all", *SHOW).stdout.split()) == 130
    maps = [str(each.body["secrets"]) for each in server.exchanges if "secrets" in each.body]
    assert len(maps) > 1
    assert max(map(len, maps)) < 32 * 1024


def test_a_value_that_no_variable_can_hold_is_left_out(run: Run, server: ProtocolServer) -> None:
    server.secrets = {"LARGE": "canary" * 30_000, "GREETING": "canary-hello"}
    result = run("--all", *SHOW)
    assert (result.returncode, result.stdout) == (0, "GREETING=canary-hello\n")
    assert "LARGE (too large for an environment" in left_out(result.stderr)


def test_the_largest_are_left_out_of_more_than_an_environment_can_hold(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {f"S_{i}": "x" * (100_000 + i) for i in range(70)} | {"SMALL": "canary"}
    result = run("--all", *SHOW)
    assert (result.returncode, result.stdout) == (0, "SMALL=canary\n")
    assert "too large" in left_out(result.stderr)
    assert "S_69" in left_out(result.stderr)


def test_what_is_not_left_out_fits_beside_the_paths_of_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.client.redeem._TOTAL_BYTES", 64 << 10)
    files = {f"FILE_{i}": "canary" for i in range(200)}
    of_all = {f"S_{i}": "x" * 100 for i in range(500)}
    chosen = Chosen(files, {name: name for name in of_all}, frozenset(files), ())
    fitting = leave_out_oversized(chosen, files | of_all, ["true"], {"PATH": "/bin"})
    assert 600 < len(fitting) < 700
    prepare(["true"], {"PATH": "/bin"}, fitting, Allowed((), override=False), [*files])


def deleting(
    server: ProtocolServer, name: str
) -> Callable[[Exchange, Callable[[], Answer]], Answer]:
    def delete(_: Exchange, proceed: Callable[[], Answer]) -> Answer:
        server.secrets.pop(name)
        return proceed()

    return delete


def test_a_secret_that_is_deleted_after_the_list_is_left_out(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {"GONE": "canary-gone", "GREETING": "canary-hello"}
    server.troubles += [lambda _, proceed: proceed(), deleting(server, "GONE")]
    result = run("--all", *SHOW)
    assert (result.returncode, result.stdout) == (0, "GREETING=canary-hello\n")
    assert "GONE (deleted meanwhile)" in left_out(result.stderr)


def test_a_secret_that_is_deleted_before_the_redemption_is_left_out(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets = {"GONE": "canary-gone", "GREETING": "canary-hello"}

    def end(_: Exchange, __: object) -> Answer:
        server.secrets.pop("GONE")
        return refusal(401, "injection_refused", "The injection token is not valid.")

    server.troubles += [lambda _, proceed: proceed(), lambda _, proceed: proceed(), end]
    result = run("--all", *SHOW)
    assert (result.returncode, result.stdout) == (0, "GREETING=canary-hello\n")
    assert "GONE (deleted meanwhile)" in left_out(result.stderr)


def refuse_damaged(server: ProtocolServer) -> Callable[[Exchange, Callable[[], Answer]], Answer]:
    """Redeem nothing that has the secret DAMAGED in it."""

    def answer(exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
        if "DAMAGED" in server.tokens.get(exchange.bearer, {}):
            return refusal(500, "value_unreadable", "Damaged.", x_should_retry="false")
        return proceed()

    return answer


def test_a_secret_that_the_server_cannot_read_is_left_out(run: Run, server: ProtocolServer) -> None:
    server.secrets = {f"S_{i}": f"canary-{i}" for i in range(9)} | {"DAMAGED": "canary"}
    server.troubles += [refuse_damaged(server)] * 100
    result = run("--all", *SHOW)
    assert (result.returncode, len(result.stdout.split())) == (0, 9)
    assert "DAMAGED (not returned by the server)" in left_out(result.stderr)


def test_a_chosen_secret_that_the_server_cannot_read_starts_nothing(
    run: Run, server: ProtocolServer
) -> None:
    server.secrets["DAMAGED"] = "canary"
    server.troubles += [refuse_damaged(server)] * 100
    result = run("--all", "--secret", "DAMAGED", "--", "echo", "started")
    assert (result.returncode, result.stdout) == (123, "")


def test_a_key_that_may_not_inject_starts_nothing(run: Run, server: ProtocolServer) -> None:
    def forbid(exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
        if exchange.path == "/v1/injections":
            return refusal(403, "scope_missing", "The API key lacks the scope secrets:inject.")
        return proceed()

    server.troubles += [forbid] * 100
    result = run("--all", "--", "echo", "started")
    assert (result.returncode, "secrets:inject" in result.stderr) == (123, True)
    assert sum(each.path == "/v1/injections" for each in server.exchanges) == 1


def test_a_server_that_refuses_everything_is_asked_a_bounded_number_of_times(
    run: Run, server: ProtocolServer
) -> None:
    def refuse(exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
        if exchange.path == "/v1/injections":
            return refusal(400, "account_limit_reached", "The account has reached its limit.")
        return proceed()

    server.secrets = {f"S_{i}": "x" for i in range(40)}
    server.troubles += [refuse] * 20_000
    result = run("--all", "--", "echo", "started")
    assert (result.returncode, "account_limit_reached" in result.stderr) == (123, True)
    assert sum(each.path == "/v1/injections" for each in server.exchanges) < 100


def test_values_in_memory_are_bounded(
    server: ProtocolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.client.selection.values._MAX_BYTES", 1000)
    server.secrets = {f"S_{i}": "x" * 100 for i in range(600)}
    chosen = Chosen({}, {name: name for name in server.secrets}, frozenset(), ())
    environ = {"RUNLOOP_BASE_URL": server.url, "RUNLOOP_API_KEY": API_KEY}
    said: list[str] = []
    assert len(values_of(chosen, Server(environ), countdown(50))) < 300
    chosen.left_out.show(said.append)
    assert "(too many)" in said[0]


def test_an_endless_list_ends(run: Run, server: ProtocolServer) -> None:
    def endless(exchange: Exchange, _: object) -> Answer:
        number = 5000 * len(server.exchanges)
        page = [server.row(f"my-{i}") for i in range(number, number + 5000)]
        return 200, {"secrets": page, "has_more": True}, {}

    server.troubles += [endless] * 400
    result = run("--all", "--", "echo", "started")
    assert (result.returncode, result.stdout) == (0, "started\n")
    assert len(server.exchanges) == 5
