"""Accounts, as an operator sees them."""

from collections.abc import Iterator
from dataclasses import replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import Account
from app.domain.access.labels import check_label
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import AccountNameExists, AccountNotFound, InvalidRequest
from app.domain.guarded import tampered
from app.domain.ids import ACCOUNT, is_any_id, is_id, new_id
from app.repository.base import Conflict, Database, Repository, UnitOfWork
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey
from app.services.rows.in_batches import in_batches

_BATCH = 200


class Accounts:
    """Creates accounts, and gives or takes their devbox capability."""

    def __init__(
        self, database: Database, system_key: SystemKey, clock: Clock, trail: AuditTrail
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock
        self._trail = trail

    def create(self, name: str, *, devbox: bool = True) -> Account:
        """Make a new account.

        Args:
            name: For people; no other account may have it.
            devbox: Whether its keys may use secrets.

        Raises:
            AccountNameExists: Another account has the name.
            InvalidRequest: The name is not printable, too long, or looks like an id.
        """
        check_label("name", name)
        if is_any_id(name):
            raise InvalidRequest("The name is not valid.", {"name": "must not look like an id"})
        account = Account(id=new_id(ACCOUNT), name=name, devbox=devbox, created_at_ms=self._clock())
        opened = self._system_key.opened()
        with self._database.writing() as work:
            try:
                work.accounts.add(opened.guard(account))
            except Conflict:
                raise AccountNameExists from None
            self._commit(work, opened, Action.ACCOUNT_CREATED, account)
        return account

    def set_devbox(self, ref: str, *, devbox: bool) -> Account:
        """Give or take the devbox capability; holds from the next request on.

        Args:
            ref: The account's id or name.

        Raises:
            AccountNotFound: There is no such account.
            TamperedRow: The account's row was edited.
        """
        opened = self._system_key.opened()
        with self._database.writing() as work:
            found = _verified(opened, work, ref)
            account = replace(found, devbox=devbox)
            work.accounts.replace(opened.guard(account))
            self._commit(work, opened, Action.ACCOUNT_CHANGED, account)
        return account

    def list(self) -> Iterator[Account | DamagedRow]:
        """Every account, oldest first; one that cannot be believed as damaged."""
        opened = self._system_key.opened()
        stored = in_batches(
            self._database, lambda repository, after: repository.accounts.sweep(after, _BATCH)
        )
        return map(opened.verify_stored, stored)

    def require(self, ref: str) -> Account:
        """The account of this id or name.

        Raises:
            AccountNotFound: There is no such account.
            TamperedRow: Its row was edited, or another was found in its place.
        """
        with self._database.reading() as repository:
            return _verified(self._system_key.opened(), repository, ref)

    def id_of(self, ref: str) -> str:
        """The id of an account: ``ref`` itself if it is one, else that of the account so named.

        A damaged account is reached by its id only.

        Raises:
            AccountNotFound: There is no account of this name.
            TamperedRow: Its row was edited, or another was found in its place.
        """
        return ref if is_id(ref, ACCOUNT) else self.require(ref).id

    def _commit(
        self, work: UnitOfWork, opened: OpenedSystemKey, action: Action, account: Account
    ) -> None:
        details = {"devbox": account.devbox}
        self._trail.commit(work, opened, action, account.id, account_id=account.id, details=details)


def _verified(opened: OpenedSystemKey, repository: Repository, ref: str) -> Account:
    by_id = is_id(ref, ACCOUNT)
    stored = repository.accounts.get(ref) if by_id else repository.accounts.named(ref)
    if stored is None:
        raise AccountNotFound
    account = opened.verify(stored)
    if (account.id if by_id else account.name) != ref:
        raise tampered(account)
    return account
