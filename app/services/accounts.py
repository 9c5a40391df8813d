"""Accounts, as an operator sees them."""

from collections.abc import Iterator
from dataclasses import replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import Account
from app.domain.access.labels import check_label
from app.domain.damage import DamagedRow
from app.domain.errors import AccountNotFound
from app.domain.guarded import Guarded, tampered
from app.domain.ids import ACCOUNT, new_id
from app.repository.base import Database
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey
from app.services.rows.in_batches import in_batches

_BATCH = 200


class Accounts:
    """Creates accounts, and gives or takes their devbox capability."""

    def __init__(self, database: Database, system_key: SystemKey, clock: Clock) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock

    def create(self, name: str, *, devbox: bool = True) -> Account:
        """Make a new account.

        Args:
            name: For people; need not be unique.
            devbox: Whether its keys may use secrets.
        """
        check_label("name", name)
        account = Account(id=new_id(ACCOUNT), name=name, devbox=devbox, created_at_ms=self._clock())
        guarded = self._system_key.opened().guard(account)
        with self._database.writing() as work:
            work.accounts.add(guarded)
            work.commit()
        return account

    def set_devbox(self, account_id: str, *, devbox: bool) -> Account:
        """Give or take the devbox capability; holds from the next request on.

        Raises:
            AccountNotFound: There is no such account.
            TamperedRow: The account's row was edited.
        """
        opened = self._system_key.opened()
        with self._database.writing() as work:
            found = _verified(opened, work.accounts.get(account_id), account_id)
            account = replace(found, devbox=devbox)
            work.accounts.replace(opened.guard(account))
            work.commit()
        return account

    def list(self) -> Iterator[Account | DamagedRow]:
        """Every account, oldest first; one that cannot be believed as damaged."""
        opened = self._system_key.opened()
        stored = in_batches(
            self._database, lambda repository, after: repository.accounts.sweep(after, _BATCH)
        )
        return map(opened.verify_stored, stored)

    def require(self, account_id: str) -> Account:
        """The account of this id.

        Raises:
            AccountNotFound: There is no such account.
            TamperedRow: Its row was edited, or another was found in its place.
        """
        with self._database.reading() as repository:
            stored = repository.accounts.get(account_id)
        return _verified(self._system_key.opened(), stored, account_id)


def _verified(opened: OpenedSystemKey, stored: Guarded[Account] | None, account_id: str) -> Account:
    if stored is None:
        raise AccountNotFound
    account = opened.verify(stored)
    if account.id != account_id:
        raise tampered(account)
    return account
