"""A server whose two key providers can be cut off, and what its clients may see meanwhile."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import requests

from app.domain.access.api_keys import Caller
from app.domain.access.scopes import ALL_SCOPES
from app.domain.secrets import SecretValue
from app.services.container import Services
from tests.e2e.account import Account
from tests.support.faulty_proxy import FaultyProxy, hang
from tests.support.strongroom import Strongroom

REFUSAL_SECONDS = 10.0

Outage = Callable[[FaultyProxy], AbstractContextManager[None]]

OUTAGES: Mapping[str, Outage] = {
    "refusing": FaultyProxy.refusing,
    "hanging": lambda proxy: proxy.failing(hang),
}
"""A provider refuses connections, or takes them and never answers."""


@dataclass(frozen=True)
class Site:
    """A server of one worker.

    Attributes:
        operator: The services on the same database, outside the server's processes: they reach
            every provider, and data keys that they make are in no cache of the server.
        first: The server's way to the first provider.
        escrow: Its way to the other one, which wraps every data key too and can unwrap.
    """

    server: Strongroom
    operator: Services
    first: FaultyProxy
    escrow: FaultyProxy

    def newcomer(self) -> Account:
        """A new account, which has no data key."""
        return Account.new(self.server.url, self.operator)

    def account(self) -> Account:
        """A new account that keeps the secret KEPT, which holds ``a value``."""
        account = self.newcomer()
        caller = Caller(account.id, account.api_key_id, ALL_SCOPES, None)
        self.operator.secrets.create(caller, "KEPT", SecretValue("a value"), None)
        return account

    @contextmanager
    def all_down(self, outage: Outage) -> Iterator[None]:
        """Every provider is down until the block ends."""
        with outage(self.first), outage(self.escrow):
            yield


def assert_refused_for_now(call: Callable[[], requests.Response]) -> None:
    """503 in time, with a ``Retry-After`` that both official clients obey."""
    started = time.monotonic()
    answer = call()
    assert time.monotonic() - started < REFUSAL_SECONDS
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
