"""A deployment as the tests of the services see it: processes, tenants, and rows to tamper with."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from app import bootstrap
from app.domain.access.api_keys import Caller, IssuedApiKey, Token, _crc
from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.injections import IssuedInjection, RedeemNonce
from app.domain.redaction import Redacted
from app.domain.secrets import Secret, SecretFilter, SecretRef, SecretValue
from app.repository.base import Database
from app.repository.connect import connect
from app.repository.sql.tables import metadata
from app.services.container import Services
from app.services.upkeep.sweep import Sweep
from backends.keyring.keyring import Keyring
from config import Settings, load
from tests.support.labels import new_label

# Workers tell of themselves when they please, which is no change of what is kept.
TABLES = tuple(name for name in metadata.tables if name != "workers")
ADDRESS = "203.0.113.7"
Row = dict[str, Any]


class Clock:
    """A wall clock that only the test moves; Unix milliseconds. The time since boot moves with it.

    Where it is set, only the wall clock moves.
    """

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000
        self.boot_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms

    def boot(self) -> float:
        """Seconds since boot."""
        return self.boot_ms / 1000

    def advance(self, *, seconds: float = 0, days: float = 0) -> None:
        """Let time pass."""
        before = self.now_ms
        self.set(seconds=seconds, days=days)
        self.boot_ms += self.now_ms - before

    def set(self, *, seconds: float = 0, days: float = 0) -> None:
        """Set the wall clock, by so much and in either direction."""
        self.now_ms += round((days * 86_400 + seconds) * 1000)


class Rows:
    """The database as someone who can write to it sees it: no constraint holds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON", "synchronous = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        self._connection = connection

    def all(self, table: str, **where: object) -> list[Row]:
        return [dict(row) for row in self._run(f"SELECT * FROM {table}", where)]

    def rowids(self, table: str) -> list[int]:
        """The path of the database with the rows of ``all``."""
        return [row["place"] for row in self._run(f"SELECT rowid AS place FROM {table}", {})]

    def one(self, table: str, **where: object) -> Row:
        (row,) = self.all(table, **where)
        return row

    def edit(self, table: str, where: Mapping[str, object], **columns: object) -> None:
        changes = ", ".join(f'"{name}" = ?' for name in columns)
        self._run(f"UPDATE {table} SET {changes}", where, *columns.values())

    def remove(self, table: str, **where: object) -> None:
        self._run(f"DELETE FROM {table}", where)

    def plant(self, table: str, row: Row) -> None:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        self._run(f"INSERT INTO {table} ({names}) VALUES ({marks})", {}, *row.values())

    def _run(self, sql: str, where: Mapping[str, object], *values: object) -> sqlite3.Cursor:
        if where:
            sql += " WHERE " + " AND ".join(f'"{name}" IS ?' for name in where)
        return self._connection.execute(sql, [*values, *where.values()])


def readdressed(token: Token, *, account_id: str, row_id: str) -> Token:
    """The same secret as the token of another row, with a checksum that is right."""
    prefix, _, _, secret = token.reveal().split("_")
    account, row = account_id.partition("_")[2], row_id.partition("_")[2]
    body = f"{prefix}_{account}_{row}_{secret[:-6]}"
    return Token(body + _crc(body))


@dataclass(frozen=True)
class Tenant:
    """One account, through one process."""

    services: Services
    key: IssuedApiKey
    caller: Caller

    def at(self, services: Services) -> "Tenant":
        """The same account through another process."""
        return replace(self, services=services)

    def authenticate(self) -> Caller:
        return self.services.authentication.authenticate(self.key.token)

    def create(self, name: str, value: str = "a value") -> Secret:
        return self.services.secrets.create(self.caller, name, SecretValue(value), None)

    def update(self, name: str, value: str) -> Secret:
        ref = SecretRef.by_name(name)
        return self.services.secrets.update(self.caller, ref, SecretValue(value), None)

    def delete(self, name: str) -> Secret:
        return self.services.secrets.delete(self.caller, SecretRef.by_name(name), None)

    def names(self) -> list[str]:
        page = self.services.secrets.list(self.caller, SecretFilter(), 5000, None, with_total=False)
        return sorted(secret.name for secret in page.secrets)

    def inject(self, *names: str) -> IssuedInjection:
        wanted = {name: name for name in names}
        return self.services.injections.create(self.caller, wanted, 300, None)

    def redeem(self, token: Redacted, nonce: str | None = None) -> dict[str, str]:
        kept = None if nonce is None else RedeemNonce(nonce)
        environment = self.services.redemption.redeem(token, kept, ADDRESS)
        return {variable: value.reveal() for variable, value in environment.items()}

    def values(self, *names: str) -> dict[str, str]:
        """The values of the secrets; of all secrets if none is named."""
        wanted = names or self.names()
        return self.redeem(self.inject(*wanted).token) if wanted else {}

    def value(self, name: str) -> str:
        return self.values(name)[name]


Snapshot = tuple[int, dict[str, list[Row]]]
Ask = Callable[[], dict[str, str]]
Asking = Callable[[Tenant, str], Ask]


@dataclass
class Deployment:
    """A directory with a database and key files, and the processes that serve it."""

    home: Path
    clock: Clock
    _processes: list[Services] = field(default_factory=list)

    @cached_property
    def database(self) -> Database:
        """A container that all processes share, since it has nothing but connections."""
        return connect(self.settings().database_url)

    def settings(self, **chosen: str) -> Settings:
        return load({"STRONGROOM_HOME": str(self.home), **chosen})

    def process(
        self,
        *,
        keyring: Keyring | None = None,
        database: Database | None = None,
        **chosen: str,
    ) -> Services:
        """A new process: no key is opened yet, none is cached."""
        services = bootstrap.build(
            self.settings(**chosen),
            keyring=keyring,
            database=database or self.database,
            wall=self.clock,
            boot=self.clock.boot,
        )
        self._processes.append(services)
        return services

    def key_file(self, name: str) -> str:
        """A new key file in the directory; its URI."""
        path = self.home / name
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        return f"local-fernet:{path}"

    def snapshot(self) -> Snapshot:
        """Every row, and the time."""
        with self.rows() as rows:
            return self.clock.now_ms, {table: rows.all(table) for table in TABLES}

    def restore(self, snapshot: Snapshot) -> None:
        """Make everything as it was then."""
        then_ms, found = snapshot
        self.clock.advance(seconds=(then_ms - self.clock.now_ms) / 1000)
        with self.rows() as rows:
            for table, kept in found.items():
                rows.remove(table)
                for row in kept:
                    rows.plant(table, row)

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        connection = sqlite3.connect(self.home / "strongroom.db", isolation_level=None)
        try:
            yield Rows(connection)
        finally:
            connection.close()

    def close(self) -> None:
        while self._processes:
            self._processes.pop().close()


def new_tenant(
    services: Services,
    *,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at_ms: int | None = None,
) -> Tenant:
    """A new account with an API key."""
    account = services.accounts.create(new_label("a tenant"))
    return with_key(services, account.id, scopes=scopes, expires_at_ms=expires_at_ms)


def sweep(services: Services) -> None:
    """Run a whole pass of the sweep, by a clock that stands still while it works."""
    running = services.sweep
    Sweep(running._database, running._retention, running._clock, lambda: 0.0).run()


def with_key(
    services: Services,
    account_id: str,
    *,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at_ms: int | None = None,
) -> Tenant:
    """An account through a new API key of its own."""
    key = services.api_keys.issue(
        account_id, name="a key", scopes=scopes, expires_at_ms=expires_at_ms
    )
    return Tenant(services, key, services.authentication.authenticate(key.token))


def child_of(parent: Tenant, scopes: frozenset[Scope] | None = None) -> Tenant:
    """The account through a key that another key minted."""
    key = parent.services.api_keys.mint(
        parent.caller, name="a child", scopes=scopes, expires_at_ms=None, retry=None
    )
    return Tenant(parent.services, key, parent.services.authentication.authenticate(key.token))


def revoke(tenant: Tenant) -> None:
    """Revoke the key of the tenant."""
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
