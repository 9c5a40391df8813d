"""The operations that run while a provider fails, and the parsing of their results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from flask import Flask
from werkzeug.test import TestResponse

from tests.e2e.canaries import canary
from tests.faults.scene import KEPT, Scene
from tests.support.api_deployment import Client, error_of

LONGEST_WAIT = 10
"""Seconds, for an answer and for ``Retry-After``."""

NEW = canary(1)


@dataclass(frozen=True)
class Answer:
    """The outcome of an attempt.

    Attributes:
        verdict: The answer in a few words.
        text: All that was shown to whoever asked.
    """

    verdict: str
    text: str


Attempt = Callable[[], Answer]
Prepare = Callable[[Scene], Attempt]


@dataclass(frozen=True)
class Operation:
    """One thing that needs a key.

    Attributes:
        needs: ``opening`` a data key that is stored, ``making`` one, or ``starting`` a process.
        prepare: Gives the attempt, which can be made again.
        done: The verdict of success.
        is_http: Whether it is a request, which a process outlives.
    """

    needs: str
    prepare: Prepare
    done: str
    is_http: bool = False


def _asked(ask: Callable[[Flask, Scene], TestResponse], app: Flask, scene: Scene) -> Answer:
    response = ask(app, scene)
    return Answer(_verdict(response), f"{response.headers}\n{response.text}")


def _verdict(response: TestResponse) -> str:
    if response.status_code == 200:
        return "200"
    status, code = error_of(response)
    seconds = response.headers.get("Retry-After", "")
    again = seconds.isdigit() and 1 <= int(seconds) <= LONGEST_WAIT
    final = response.headers.get("x-should-retry") == "false"
    told = {(True, False): ", again soon", (False, True): ", never again"}
    return f"{status} {code}{told.get((again, final), ', whatever')}"


def create_first(app: Flask, scene: Scene) -> TestResponse:
    return _write(app, scene.newcomer, "/v1/secrets", name="NEW")


def create(app: Flask, scene: Scene) -> TestResponse:
    return _write(app, scene.owner, "/v1/secrets", name="NEW")


def update(app: Flask, scene: Scene) -> TestResponse:
    return _write(app, scene.owner, "/v1/secrets/KEPT")


def _write(app: Flask, token: str, path: str, **fields: str) -> TestResponse:
    """Send the same request as the time before, as clients do."""
    headers = {"x-request-id": "one-request"}
    return Client(app, token).post(path, json={**fields, "value": NEW}, headers=headers)


def redeem(app: Flask, scene: Scene) -> TestResponse:
    response = Client(app, scene.token).post("/v1/injections/redeem")
    if response.status_code == 200:
        assert response.get_json() == {"environment": {"KEPT": KEPT}}
    return response


def listed(app: Flask, scene: Scene) -> TestResponse:
    """Ask a process that has just started, which lives, whatever it answers."""
    assert Client(app, None).get("/healthz").status_code == 200
    return Client(app, scene.owner).get("/v1/secrets")


def serving(ask: Callable[[Flask, Scene], TestResponse], needs: str) -> Operation:
    """Ask a process that has served for a while and has not needed this account's data key yet."""

    def prepare(scene: Scene) -> Attempt:
        app = scene.serving()
        return lambda: _asked(ask, app, scene)

    return Operation(needs, prepare, "200", is_http=True)


def aged(operation: Operation) -> Operation:
    """The same when every data key is past its age."""

    def prepare(scene: Scene) -> Attempt:
        scene.age()
        return operation.prepare(scene)

    return replace(operation, prepare=prepare)


def starting(ask: Callable[[Flask, Scene], TestResponse]) -> Operation:
    """Ask a process that starts only now."""

    def prepare(scene: Scene) -> Attempt:
        started: list[Flask] = []

        def attempt() -> Answer:
            app = started[0] if started else scene.starting()
            started.append(app)
            return _asked(ask, app, scene)

        return attempt

    return Operation("starting", prepare, "200", is_http=True)


def command(*arguments: str) -> Operation:
    """Run ``strongroom`` with these arguments."""

    def prepare(scene: Scene) -> Attempt:
        def attempt() -> Answer:
            result = scene.terminal.run(*arguments)
            return Answer(f"exit {result.exit_code}", result.output)

        return attempt

    return Operation("starting", prepare, "exit 0")


def _rewrap_under_way(scene: Scene) -> Attempt:
    """Rewrap in a process that has begun to: it knows what is stale and holds the system key."""
    process = scene.fresh()
    process.rewrap.run(print, dry_run=True)

    def attempt() -> Answer:
        progress = process.rewrap.run(print)
        return Answer(f"{progress.changed} changed, {progress.failed} failed", repr(progress))

    return attempt


ASKED: Mapping[str, tuple[Callable[[Flask, Scene], TestResponse], str]] = {
    "create-first": (create_first, "making"),
    "create": (create, "opening"),
    "update": (update, "opening"),
    "redeem": (redeem, "opening"),
}
OPERATIONS: Mapping[str, Operation] = {
    **{name: serving(ask, needs) for name, (ask, needs) in ASKED.items()},
    "check": command("check"),
    "worker": starting(listed),
    "rewrap": command("keyring", "rewrap"),
    "rewrap-under-way": Operation("opening", _rewrap_under_way, "2 changed, 0 failed"),
}
AT_START: Mapping[str, Operation] = {
    **OPERATIONS,
    **{name: starting(ask) for name, (ask, _) in ASKED.items()},
}
"""The same, asked of processes that start, where only these meet a fault."""
BESIDE: Mapping[str, Operation] = {
    **{name: OPERATIONS[name] for name in ("create-first", "redeem", "rewrap-under-way")},
    "create-aged": aged(OPERATIONS["create"]),
}
"""Operations of a provider that has no wrappings yet and is not the only one."""
