"""Many accounts with secrets, made in bulk, and clients that work on some of them meanwhile."""

import random
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from runloop_api_client import DEFAULT_MAX_RETRIES, Runloop
from sqlalchemy import Engine, event

from app.bootstrap import build
from app.domain.access.api_keys import Token
from app.domain.secrets import SecretValue
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.support.labels import new_label

_PAUSE_SECONDS = 0.05  # so that the client leaves the machine to the server


@dataclass(frozen=True)
class Tenant:
    """An account, its API key, and what its secrets must hold."""

    account_id: str
    token: str
    values: dict[str, str] = field(default_factory=dict)


def seed_in_bulk(environ: Mapping[str, str], accounts: int, secrets_each: int) -> list[Tenant]:
    """New accounts with secrets, through the services of a process of the deployment.

    It alone does not wait for the disk when it commits, which takes most of the time otherwise and
    would matter only if the machine lost its power.
    """
    with _no_waiting_for_the_disk(), closing(build(load(environ))) as services:
        return seed(services, accounts, secrets_each)


def read_in_bulk(
    environ: Mapping[str, str], tenants: Sequence[Tenant]
) -> dict[str, dict[str, str]]:
    """All their values, by account, opened by a process of the deployment.

    It does not wait for the disk either: what a value is redeemed by is written.
    """
    with _no_waiting_for_the_disk(), closing(build(load(environ))) as services:
        return opened_values(services, tenants)


def seed(services: Services, accounts: int, secrets_each: int) -> list[Tenant]:
    """New accounts with secrets, through the services."""
    return [_tenant(services, secrets_each) for _ in range(accounts)]


@contextmanager
def _no_waiting_for_the_disk() -> Iterator[None]:
    def relax(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):  # tests' PostgreSQL waits for none
            connection.execute("PRAGMA synchronous = OFF").close()

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)


def _tenant(services: Services, secrets_each: int) -> Tenant:
    account = services.accounts.create(new_label("a tenant"))
    key = services.api_keys.issue(account.id, name="a key")
    tenant = Tenant(account.id, key.token.reveal())
    caller = services.authentication.authenticate(key.token)
    for number in range(secrets_each):
        name, value = f"SECRET_{number}", f"{account.id} {number}"
        services.secrets.create(caller, name, SecretValue(value), None)
        tenant.values[name] = value
    return tenant


def opened_values(services: Services, tenants: Sequence[Tenant]) -> dict[str, dict[str, str]]:
    """All their values, by account, opened by this process."""
    return {tenant.account_id: _opened(services, tenant) for tenant in tenants}


def _opened(services: Services, tenant: Tenant) -> dict[str, str]:
    caller = services.authentication.authenticate(Token(tenant.token))
    wanted = {name: name for name in tenant.values}
    token = services.injections.create(caller, wanted, 300, None).token
    environment = services.redemption.redeem(token, None, "127.0.0.1")
    return {name: value.reveal() for name, value in environment.items()}


def speaker(url: str, tenant: Tenant) -> Account:
    """The tenant's account over HTTP; each answer counts, there are no retries."""
    return Account(url, tenant.account_id, "", tenant.token)


def astray(url: str, tenants: Sequence[Tenant]) -> list[str]:
    """The accounts of which a process that starts with all their secrets gets other values."""
    return [tenant.account_id for tenant in tenants if _served(url, tenant) != tenant.values]


def _served(url: str, tenant: Tenant) -> dict[str, str]:
    with speaker(url, tenant) as account:
        return account.values(*tenant.values)


def expected_values(tenants: Sequence[Tenant]) -> dict[str, dict[str, str]]:
    """The same as it should be."""
    return {tenant.account_id: tenant.values for tenant in tenants}


class Writer(threading.Thread):
    """Creates, replaces, deletes and reads with the official client until it is told to stop.

    Attributes:
        calls: How many calls it has made.
        failure: What ended it early.
    """

    def __init__(self, url: str, tenant: Tenant, seed: int, max_retries: int) -> None:
        super().__init__(daemon=True)
        self.calls = 0
        self.failure: Exception | None = None
        self._url = url
        self._tenant = tenant
        self._chance = random.Random(seed)
        self._max_retries = max_retries
        self._over = threading.Event()

    def run(self) -> None:
        try:
            with self._client(self._tenant.token) as client:
                while not self._over.wait(_PAUSE_SECONDS):
                    self._step(client)
        except Exception as error:  # noqa: BLE001 - told by the test
            self.failure = error

    def stop(self) -> None:
        """Let it end its last call."""
        self._over.set()
        self.join(120)

    def _step(self, client: Runloop) -> None:
        values = self._tenant.values
        name = self._chance.choice(list(values))
        value = f"written {self.calls}"
        self.calls += 1
        if len(values) < 30 and self._chance.random() < 0.3:
            name = f"WRITTEN_{secrets.token_hex(8)}"
            client.secrets.create(name=name, value=value)
            values[name] = value
        elif len(values) > 10 and self._chance.random() < 0.3:
            client.secrets.delete(name)
            del values[name]
        elif self._chance.random() < 0.5:
            client.secrets.update(name, value=value)
            values[name] = value
        else:
            assert self._read(client, name) == values[name]

    def _read(self, client: Runloop, name: str) -> str:
        made: Any = client.post("/v1/injections", body={"secrets": {"READ": name}}, cast_to=object)
        with self._client(made["token"]) as process:
            redeemed: Any = process.post(
                "/v1/injections/redeem",
                body={"redeem_nonce": secrets.token_urlsafe(24)},
                cast_to=object,
            )
        return str(redeemed["environment"]["READ"])

    def _client(self, token: str) -> Runloop:
        return Runloop(base_url=self._url, bearer_token=token, max_retries=self._max_retries)


@contextmanager
def at_work(
    url: str, tenants: Sequence[Tenant], *, max_retries: int = DEFAULT_MAX_RETRIES
) -> Iterator[list[Writer]]:
    """A writer for each tenant until the block ends; then none of them may have failed."""
    writers = [Writer(url, tenant, number, max_retries) for number, tenant in enumerate(tenants)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()
    for writer in writers:
        if writer.failure is not None:
            raise writer.failure
