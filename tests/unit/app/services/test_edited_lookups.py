"""Every column of every table, edited by hand between two uses, edited back or left.

Two accounts hold secrets, keys, injections and stored responses. Each column of each row takes what
stands in the same column of the others, and what no row holds. While it is so, honest clients use
all of the API. Whatever is edited, what is handed out is right or nothing is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from app.domain.access.api_keys import Token
from app.domain.access.scopes import Scope
from app.domain.errors import DomainError
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.terms import NewGatewayToken
from app.domain.gateways.tokens import GatewayTokenView, TokenFilter
from app.domain.idempotency import RetryKey
from app.domain.injections import InjectionView
from app.domain.secrets import SecretRef, SecretValue
from app.repository.base import Conflict
from app.repository.sql.tables import metadata
from backends.errors import KeyProviderError
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, with_key
from tests.support.gateway.stored import admit

pytestmark = pytest.mark.slow

REFUSED = (DomainError, KeyProviderError, Conflict)
COLUMNS = [
    (table.name, column.name) for table in metadata.sorted_tables for column in table.columns
]
NAMES = ("A", "B")
NEVER_STORED: dict[type, list[object]] = {
    int: [0, -1, 2**62],
    str: ["", "nonsense", "sec_0000000000000000000000"],
    bytes: [b"", bytes(32), bytes(33)],
    type(None): [0, "nonsense", bytes(32)],
}
UNIQUE = {int: -77, str: "moving", bytes: b"m" * 33, type(None): None}
"""A placeholder in one row while it exchanges a value with another."""


@dataclass
class Use:
    """One account through all of its calls, and the values that its secrets may have."""

    tenant: Tenant
    right: dict[str, set[str]]
    number: int = 0
    waiting: list[tuple[str, Token]] = field(default_factory=list)
    minted: list[tuple[str, Token]] = field(default_factory=list)

    def use(self) -> None:
        """Send, then ask for everything by tokens from the last use, from before and from now."""
        self.number += 1
        waiting, self.waiting = self.waiting, list(self.tokens())
        tokens = list(self.tokens())
        for name in NAMES:
            for ref in (SecretRef.by_name(name), self.by_id[name]):
                self.update(name, ref)
        for name, token in [*waiting, *tokens, *self.tokens()]:
            self.require_right(name, token)
        self.use_gateway()
        self.require_own()

    def update(self, name: str, ref: SecretRef) -> None:
        """Replace a value: the one before and the new one are right from now on."""
        value = f"{self.tenant.caller.account_id} {name} {self.number} {ref.is_id}"
        retry = RetryKey(f"{name} {self.number} {ref.is_id}", value.encode())
        self.right[name].add(value)
        with suppress(*REFUSED):
            self.tenant.services.secrets.update(self.tenant.caller, ref, SecretValue(value), retry)

    def tokens(self) -> Iterator[tuple[str, Token]]:
        for name in NAMES:
            for ref in (name, self.by_id[name].text):
                wanted = {"VAR": ref}
                with suppress(*REFUSED):
                    made = self.tenant.services.injections.create(
                        self.tenant.caller, wanted, 300, None
                    )
                    yield name, made.token

    def require_right(self, name: str, token: Token) -> None:
        with suppress(*REFUSED):
            assert self.tenant.redeem(token)["VAR"] in self.right[name]

    def use_gateway(self) -> None:
        """Use the gateway tokens from before, and mint others for each name."""
        account_id = self.tenant.caller.account_id
        tokens, self.minted = self.minted, []
        for name in NAMES:
            wanted = NewGatewayToken(gateway=f"config of {account_id}", secret=name)
            with suppress(*REFUSED):
                made = self.tenant.services.gateway_tokens.mint(
                    self.tenant.caller, "a-box", wanted, None
                )
                self.minted.append((name, made.token))
        for name, token in [*tokens, *self.minted]:
            with suppress(*REFUSED):
                admitted = admit(self.tenant.services, token)
                assert admitted.origin.host == host_of(account_id)
                assert admitted.needles[0].reveal() in self.right[name]

    def require_own(self) -> None:
        """The account authenticates and sees rows of its own only."""
        with suppress(*REFUSED):
            assert self.tenant.authenticate() == self.tenant.caller
        with suppress(*REFUSED):
            page = self.tenant.services.injections.list(self.tenant.caller, 5, None)
            views = [each for each in page.injections if isinstance(each, InjectionView)]
            assert {view.injection.account_id for view in views} <= {self.tenant.caller.account_id}
        with suppress(*REFUSED):
            shown = self.tenant.services.gateway_tokens.list(
                self.tenant.caller, TokenFilter(), 5, None
            )
            own = [each for each in shown.tokens if isinstance(each, GatewayTokenView)]
            assert {each.token.account_id for each in own} <= {self.tenant.caller.account_id}

    def __post_init__(self) -> None:
        self.by_id = {
            name: SecretRef.by_id(
                self.tenant.services.secrets.get(self.tenant.caller, SecretRef.by_name(name)).id
            )
            for name in NAMES
        }


def host_of(account_id: str) -> str:
    """The host of the config of an account."""
    return f"{account_id.lower().replace('_', '-')}.example"


def create_config(tenant: Tenant) -> None:
    account_id = tenant.caller.account_id
    draft = ConfigDraft(
        name=f"config of {account_id}",
        endpoint=f"https://{host_of(account_id)}",
        auth=AuthMechanism(AuthType.BEARER),
    )
    tenant.services.gateway_configs.create(tenant.caller, draft, None)


@pytest.fixture
def uses(deployment: Deployment, tenant: Tenant) -> list[Use]:
    """Of two accounts, where each row has another like it."""
    found = []
    for each in (tenant, new_tenant(tenant.services)):
        for name in NAMES:
            each.create(name, f"{each.caller.account_id} {name}")
        with_key(each.services, each.caller.account_id, scopes=frozenset({Scope.SECRETS_READ}))
        create_config(each)
        right = {name: {f"{each.caller.account_id} {name}"} for name in NAMES}
        found.append(Use(each, right))
    deployment.clock.advance(days=31)
    for use in found:
        use.use()
    return found


@dataclass(frozen=True)
class Edit:
    """One column of a row takes another value, or exchanges it with another row; and back."""

    table: str
    column: str
    value: object
    rowid: int
    other: int | None

    def apply(self, rows: Rows) -> "Edit":
        """Make the edit if the table takes it; what undoes it."""
        column, where = self.column, {"rowid": self.rowid}
        stored = rows.all(self.table, **where)
        if not stored:
            return self
        row = stored[0]
        with suppress(sqlite3.Error):
            if self.other is not None:
                rows.edit(self.table, where, **{column: UNIQUE[type(row[column])]})
                rows.edit(self.table, {"rowid": self.other}, **{column: row[column]})
            rows.edit(self.table, where, **{column: self.value})
        return replace(self, value=row[column])


def edits(rows: Rows, table: str, column: str, *, most: int) -> Iterator[Edit]:
    """Of at most so many rows of the table, with values of other rows and with others."""
    stored, ids = rows.all(table), rows.rowids(table)
    for place, row in enumerate(stored[:most]):
        this, now = ids[place], row[column]
        for other in range(len(stored)):
            if stored[other][column] != now:
                yield Edit(table, column, stored[other][column], this, ids[other])
        for value in [*NEVER_STORED[type(now)][:most], None]:
            yield Edit(table, column, value, this, None)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_an_edited_column_hands_out_nothing_that_is_wrong(
    deployment: Deployment, uses: list[Use], rows: Rows, table: str, column: str, *, proving: bool
) -> None:
    """While it is edited, and after it was edited back."""
    before = deployment.snapshot()
    deployment.restore(before)  # numbers the rows anew, as it does each time
    count = len(list(edits(rows, table, column, most=3 if proving else 1)))
    for number in range(count if proving else min(count, 3)):
        deployment.restore(before)
        edit = list(edits(rows, table, column, most=3 if proving else 1))[number]
        back = edit.apply(rows)
        for use in uses:
            use.use()
        back.apply(rows)
        for use in uses:
            use.use()
