"""PostgreSQL's failures, by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).

Its messages repeat whole rows, and so do the details of an error. Nothing but the five characters
of the code goes further than this folder.
"""

import logging
from dataclasses import dataclass

import psycopg

from app.domain.errors import Moved, RowRefused, StorageUnavailable
from app.repository.moving import closing

LOST = "The connection to the database was lost."
SILENT = "The database did not answer in time."

_SQLSTATE_CHARACTERS = 5
_logger = logging.getLogger("strongroom.repository")


class Silent(psycopg.OperationalError):
    """The server did not answer in time. What it was asked may have happened or not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The consequences of one kind of failure.

    Attributes:
        closes: The connection cannot be used any more.
        is_lost: The others of its age cannot be used, either. What has changed nothing is run again
            on a new connection.
        is_exhausted: The server lacks a resource that only its operator can give it.
        is_ours: The statement or the row is wrong.
        retry_after: Whole seconds until another try makes sense.
    """

    closes: bool = False
    is_lost: bool = False
    is_exhausted: bool = False
    is_ours: bool = False
    retry_after: int = 5


_LOST = Failure(closes=True, is_lost=True)
_DENIED = Failure(closes=True)
_BUSY = Failure(retry_after=1)
_EXHAUSTED = Failure(is_exhausted=True)
_OURS = Failure(is_ours=True)
_OTHER = Failure()

FAILURES = {
    # The server is gone, ends, or is no primary any more.
    "08": _LOST,
    "57P": _LOST,
    "25006": _LOST,
    "25P03": _LOST,  # it was idle in a transaction for too long
    # A prepared statement no longer fits, or is unknown: this would come again for ever.
    "0A000": _LOST,
    "26000": _LOST,
    "XX": _LOST,
    # Somebody else was faster, or has a lock: lock, statement, deadlock, serialization.
    "55P03": _BUSY,
    "57014": _BUSY,
    "40P01": _BUSY,
    "40001": _BUSY,
    "23503": _BUSY,  # the data key went: a retry gets another
    # Connections, memory, disk.
    "53": _EXHAUSTED,
    "58030": _EXHAUSTED,
    # A value that no column can hold.
    "22": _OURS,
    "23": _OURS,
    # The user, the database, a right or a table.
    "28": _DENIED,
    "3D000": _DENIED,
    "42": _DENIED,
}
"""By the code, or by its beginning; the longest counts."""


def failure_of(error: BaseException) -> Failure:
    """Return the consequences of an error."""
    if not isinstance(error, psycopg.Error):
        return _OTHER
    code = error.sqlstate
    if code is not None:
        beginnings = (code[:length] for length in range(len(code), 1, -1))
        return next((FAILURES[each] for each in beginnings if each in FAILURES), _OTHER)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return _LOST
    return _OURS  # the driver did not send it


def is_answer(error: psycopg.Error) -> bool:
    """Return True if the server sent it, so that the connection can go on.

    It passes over what is left of a batch after a row that it refused, without a code.
    """
    return error.sqlstate is not None or isinstance(error, psycopg.errors.PipelineAborted)


def translate(error: BaseException) -> StorageUnavailable:
    """Return our error for one of psycopg's, without a word of it; log what needs an operator."""
    failure = failure_of(error)
    code = error.sqlstate if isinstance(error, psycopg.Error) else None
    if failure.is_exhausted:
        report_exhausted(f"SQLSTATE {code}")
    if code == closing.SQLSTATE:
        return Moved()
    if failure.is_ours:
        return RowRefused(code)
    words = SILENT if isinstance(error, Silent) else LOST
    return StorageUnavailable(code or words, retry_after=failure.retry_after)


def report_exhausted(detail: str) -> None:
    """Log for an alert that the server lacks what only its operator can give it."""
    _logger.critical("database_exhausted", extra={"detail": detail})


def explain(cause: str | None) -> str:
    """Return one sentence about what ended in this cause: a SQLSTATE, or a sentence of ours."""
    if cause is None:
        return "the database does not answer."
    if len(cause) != _SQLSTATE_CHARACTERS or not cause.isalnum():
        return cause
    return f"the database {_WORDS.get(cause, 'cannot be used')} (SQLSTATE {cause})."


_WORDS = {
    "28000": "refuses the user",
    "28P01": "refuses the password",
    "3D000": "does not exist",
    "42501": "does not permit this to the user; see the roles in config/postgresql-roles.sql",
    "42P01": "has no tables; run: strongroom db upgrade",
    "57014": "did not do this in time",
    "53100": "cannot be written, because its disk is full",
    "53300": "has no connection free",
    "53400": "has no connection free",
}
