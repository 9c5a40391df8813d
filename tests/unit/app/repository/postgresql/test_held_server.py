"""The server is held at each statement of each operation: the answer is right, or 503.

Each statement is lost in turn, on its way to the server or on the way back, or is never answered.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

import pytest
from werkzeug.test import TestResponse

from app.domain.errors import StorageUnavailable
from app.repository.base import Database
from app.repository.postgresql import connections
from app.server import application
from app.services.container import Services
from tests.contract.repository import rows
from tests.support.deployment import sweep
from tests.support.held_server import Hold
from tests.support.postgresql import PostgresqlServer
from tests.unit.app.repository.postgresql.deployed import Deployed, deployed
from tests.unit.app.repository.postgresql.operations import OPERATIONS, Operation, Send

OK, UNAVAILABLE = 200, 503

_QUICKLY = ("create", "redeem", "view", "admit")
_OFTEN = (
    "create",
    "view",
    "list",
    "update",
    "delete",
    "inject",
    "redeem",
    "revoke",
    "mint",
    "admit",
)
_EACH = [
    pytest.param(name, marks=() if name in _OFTEN else pytest.mark.slow) for name in OPERATIONS
]
_WITHOUT_DATABASE = ("documentation.", "health.show_health")


@pytest.fixture(scope="module")
def deployment(
    postgresql: PostgresqlServer,
    migrated_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("home"), postgresql, migrated_database) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def small(
    postgresql: PostgresqlServer,
    migrated_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """Another one with a single account, for what goes through all of them."""
    with deployed(tmp_path_factory.mktemp("small"), postgresql, migrated_database) as deployment:
        deployment.new_account()
        yield deployment


@dataclass(frozen=True)
class Held:
    """An operation that met a held statement.

    Attributes:
        place: The place of the statement in the operation.
        send: Sends the operation again.
        was_idle: The statement was outside a transaction.
    """

    place: int
    send: Send
    answer: TestResponse
    was_idle: bool


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Let requests have little time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "REQUEST_SECONDS", 0.3)
        patch.setattr(connections, "GRACE_S", 0.1)
        yield


def held_at_each(
    deployment: Deployed,
    operation: Operation,
    hold: Hold,
    sending: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Held]:
    """Run an operation again and again, held at its first statement, its second and so on.

    Args:
        sending: Surrounds the request that meets the held statement.
    """
    account, server = deployment.new_account(), deployment.server
    client = account.client()
    assert operation(account, client)().status_code == 200  # the caches are full from now on
    place = 0
    while True:
        send = operation(account, client)
        server.arm(place, hold)
        with sending():
            answer, was_idle = send(), server.was_idle
        server.arm(None)
        if was_idle is not None:
            yield Held(place, send, answer, was_idle)
            place += 1
        elif outcome(answer) == OK:  # it has no further statement
            assert place > 0
            return


def test_each_operation_is_held(deployment: Deployed) -> None:
    account = deployment.new_account()
    client, routes = account.client(), deployment.api.app.url_map
    sent = [operation(account, client)().request for operation in OPERATIONS.values()]
    held = {routes.bind("").match(each.path, each.method)[0] for each in sent}
    offered = {rule.endpoint for rule in routes.iter_rules()}
    assert held == {each for each in offered if not each.startswith(_WITHOUT_DATABASE)}


@pytest.mark.parametrize("name", _EACH)
@pytest.mark.parametrize("hold", [Hold.LOST, Hold.UNANSWERED])
def test_a_loss_is_hidden_outside_of_transactions_and_a_retry_finds_out_within(
    deployment: Deployed, name: str, hold: Hold
) -> None:
    for held in held_at_each(deployment, OPERATIONS[name], hold):
        expected = OK if held.was_idle else UNAVAILABLE
        assert (held.place, outcome(held.answer)) == (held.place, expected)
        assert (held.place, outcome(held.send())) == (held.place, OK)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_statement_without_an_answer_ends_with_its_request(
    deployment: Deployed, name: str, proving: bool
) -> None:
    if not (proving or name in _QUICKLY):
        pytest.skip("one of those that run with --prove")
    for held in held_at_each(deployment, OPERATIONS[name], Hold.SILENT, in_a_hurry):
        assert (held.place, outcome(held.answer)) == (held.place, UNAVAILABLE)


def beat(services: Services) -> None:
    with database_of(services).writing() as work:
        work.workers.beat(rows.worker())
        work.workers.remove_silent(1)
        work.commit()


def database_of(services: Services) -> Database:
    return services.setup._database


@pytest.mark.parametrize("task", [sweep, beat])
@pytest.mark.parametrize("hold", [Hold.LOST, Hold.UNANSWERED])
def test_a_task_that_was_held_succeeds_the_next_time(
    small: Deployed, task: Callable[[Services], None], hold: Hold
) -> None:
    services, server = small.api.services, small.server
    for place in range(1000):
        server.arm(place, hold)
        with suppress(StorageUnavailable):
            task(services)
        was_held = server.was_idle is not None
        server.arm(None)
        task(services)
        if not was_held:
            assert place > 0
            return


def outcome(answer: TestResponse) -> int | str:
    """The status, and the whole answer where it is neither right nor 503."""
    if answer.status_code in (OK, UNAVAILABLE):
        return answer.status_code
    return f"{answer.status} {answer.text}"
