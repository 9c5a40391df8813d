"""Refusals of the product. Messages repeat no input but validated names."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from app.domain.damage import DamagedRow

T = TypeVar("T")

_NAMED_ROWS = 100


def nearest(table: Mapping[Any, T], error: BaseException) -> T | None:
    """Return what a table of exception classes says of the error's class, or of its nearest base.

    Args:
        table: Values by exception class.
        error: The error to find.
    """
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


class DomainError(Exception):
    """A refusal that its caller can act on.

    Args:
        message: What it says; that of its class if it is not given.
    """

    message: ClassVar[str] = ""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.message if message is None else message)

    @property
    def operator_message(self) -> str:
        """The message for an operator and for the log, which may say more than that for callers."""
        return str(self)


class InvalidRequest(DomainError):
    """The request breaks a rule.

    Args:
        message: One sentence for whoever asked.
        fields: Field names of ours and what is wrong with each; never what was sent.
    """

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        faults = "; ".join(f"{field} {rule}" for field, rule in (fields or {}).items())
        super().__init__(f"{message.removesuffix('.')}: {faults}." if faults else message)


class SecretNotFound(DomainError):
    """The account has no such secret; another account's is no different."""

    message = "Secret not found."


class SecretNameExists(DomainError):
    """The account has a secret of this name.

    Args:
        name: The validated name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"A secret named {name} already exists.")


class AccountLimitReached(DomainError):
    """The account holds as much as it may. Clients must not retry: only deleting helps.

    Args:
        what: What there is a limit of.
        limit: How many the account may hold.
    """

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"The account has reached its limit of {limit} {what}.")


class SecretsMissing(DomainError):
    """Some of the secrets that were asked for together do not exist; none was taken.

    Args:
        names: The validated names that the account does not have.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"These secrets do not exist: {', '.join(names)}.")
        self.names = names


class AccountNotFound(DomainError):
    """There is no such account."""

    message = "Account not found."


class AccountInUse(DomainError):
    """Rows are added to an account as fast as they are deleted."""

    message = "Rows of the account are still being added; run it again."


class AccountNameExists(DomainError):
    """There is an account of this name."""

    message = "There is an account of this name already; names of accounts are unique."


class RateLimited(DomainError):
    """An API key or an account sends more requests than it may. Waiting helps.

    Args:
        what: Whose limit it is: of an API key, or of an account.
        requests: The number of requests that are admitted in a period.
        period: The name of the period.
        retry_after: The whole seconds after which another request is admitted, 1 to 60.
    """

    def __init__(self, what: str, requests: int, period: str, retry_after: int) -> None:
        super().__init__(f"This {what} is over its limit of {requests} requests a {period}.")
        self.retry_after = retry_after


class ApiKeyNotFound(DomainError):
    """The account has no such API key."""

    message = "API key not found."


class ApiKeyEnded(DomainError):
    """The API key, or a key above it, is revoked or has expired."""

    message = "The API key, or a key that it was made with, is revoked or has expired."


class IssuerLimitReached(DomainError):
    """The API key has as many keys above it as a key may have."""

    message = "This API key is too many keys away from the operator's to make another."


class InjectionNotFound(DomainError):
    """The account has no such injection."""

    message = "Injection not found."


class Unauthenticated(DomainError):
    """The credential is missing, malformed, unknown, expired, revoked or forged: one answer."""

    message = "Missing or invalid API key."


class InjectionRefused(DomainError):
    """The token is malformed, unknown, used, expired, revoked or forged: one answer."""

    message = "Missing or invalid injection token."


class DevboxCapabilityMissing(DomainError):
    """The account may not use secrets."""

    message = "This account does not have the devbox capability."


class ScopeMissing(DomainError):
    """The API key does not have the scope that this needs.

    Args:
        scope: The scope's name.
    """

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key does not have the scope {scope}.")


class RequestIdReused(DomainError):
    """The request id came before, with another request."""

    message = "This x-request-id was already used for a different request."


class RequestIdUnusable(DomainError):
    """The request id came before, and the clock was set since: its hour may be over, or not."""

    message = (
        "The server's clock was set since this x-request-id was used. "
        "Look if the request was done, and use a new one."
    )


class TamperedRow(DomainError):
    """A stored row is not what the server wrote.

    Args:
        table: The row's table.
        account_id: What is stored of the account that it belongs to, if that is known.
        row_id: What is stored of its id, if that is known.

    Attributes:
        row: Where it stands. The message names it, for an operator; no answer of the API does.
    """

    def __init__(self, table: str, account_id: object = None, row_id: object = None) -> None:
        self.row = DamagedRow.at(table, account_id, row_id)
        named = str(self.row)
        super().__init__(f"{named[0].upper()}{named[1:]} is not what this server wrote.")


class RecoveryRefused(DomainError):
    """The database is not the one that the recovery key was made for; nothing was written."""


class FileRefused(DomainError):
    """A file that was named cannot be read or made, or the place for it is taken."""


class BackupDamaged(DomainError):
    """The content of a backup is not what a server wrote. Nothing was restored."""


class NotInitialised(DomainError):
    """The database holds no deployment yet: ``strongroom init`` makes one."""

    message = "The database is not initialised; run: strongroom init"


class StorageUnavailable(DomainError):
    """The database does not answer, or is busy for longer than we wait.

    Args:
        cause: For the operator, not for callers of the API: the database's own name of the error,
            as ``SQLITE_FULL``, or a sentence of ours. It holds no value.
        retry_after: Whole seconds until another try makes sense. The default suits a database that
            is replaced: the official clients retry five times, and 25 s span a fail-over.
    """

    message = "The database is not available."

    def __init__(self, cause: str | None = None, *, retry_after: int = 5) -> None:
        super().__init__()
        self.cause = cause
        self.retry_after = retry_after

    @property
    def operator_message(self) -> str:
        """The message for an operator."""
        return str(self) if self.cause is None else f"{self} Cause: {self.cause}"


class Moved(StorageUnavailable):
    """The database is closed, since its deployment moved to another one."""

    message = "This deployment was moved to another database."

    def __init__(self) -> None:
        super().__init__("STRONGROOM_DATABASE_URL names the database of before; name the new one.")


class MoveRefused(DomainError):
    """A deployment cannot be moved from one database to the other."""


class RowsDamaged(DomainError):
    """Rows of a database cannot be copied to another one.

    Args:
        rows: All of them, or the first ones.
    """

    def __init__(self, rows: Sequence[DamagedRow]) -> None:
        named = map(str, rows[:_NAMED_ROWS])
        lines = ["These rows are not what a server wrote:", *named]
        super().__init__("\n".join([*lines, "To leave them behind, use --skip-damaged."]))


class RowsDiffer(DomainError):
    """A copy has rows other than its source.

    Args:
        rows: All of them, or the first ones.
    """

    def __init__(self, rows: Sequence[DamagedRow]) -> None:
        named = map(str, rows[:_NAMED_ROWS])
        super().__init__("\n".join(["These rows are not the same in both databases:", *named]))


class RowRefused(StorageUnavailable):
    """The database refused a row that breaks its rules, which is a fault of this server."""

    message = "The server failed; its log says why."
