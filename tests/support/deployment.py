"""A deployment as the tests of the services see it: processes, tenants, and rows to tamper with."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet

from app import bootstrap
from app.domain.access.api_keys import Caller, IssuedApiKey, Token, _crc
from app.domain.access.name_limits import NameLimit
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
from tests.support import databases
from tests.support.databases import Row, Rows
from tests.support.labels import new_label

# Workers tell of themselves when they please, which is no change of what is kept.
TABLES = tuple(name for name in metadata.tables if name != "workers")
ADDRESS = "203.0.113.7"


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
GATEWAY_URL = "https://gw.example.com"
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
        database = databases.chosen.settings(self.home)
        own = {"STRONGROOM_HOME": str(self.home), "STRONGROOM_GATEWAY_URL": GATEWAY_URL}
        return load({**own, **database, **chosen})

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
        with databases.chosen.rows(self.home) as rows:
            yield rows

    def close(self) -> None:
        while self._processes:
            self._processes.pop().close()


def copied(source: Path, target: Path) -> Path:
    """A copy of a home that no process serves, with its database."""
    shutil.copytree(source, target)
    databases.chosen.copy(source, target)
    return target


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
    Sweep(
        running._database,
        running._system_key,
        running._retention,
        running._clock,
        lambda: 0.0,
        running._trail,
    ).run()


def with_key(
    services: Services,
    account_id: str,
    *,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at_ms: int | None = None,
    names: NameLimit | None = None,
) -> Tenant:
    """An account through a new API key of its own."""
    key = services.api_keys.issue(
        account_id, name="a key", scopes=scopes, expires_at_ms=expires_at_ms, names=names
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
