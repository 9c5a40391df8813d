"""PostgreSQL's failures, by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).

Its messages repeat whole rows, and so do the details of an error. Nothing but the five characters
of the code goes further than this folder.
"""

import psycopg

_LOST_CLASSES = ("08", "57P")
_READ_ONLY = "25006"
_SPOILT = frozenset({"0A000", "26000", "XX000", _READ_ONLY})


def is_lost(error: BaseException) -> bool:
    """Return True if the server is gone, or is no primary any more."""
    if not isinstance(error, psycopg.Error):
        return False
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code.startswith(_LOST_CLASSES) or code == _READ_ONLY


def spoils(error: psycopg.Error) -> bool:
    """Return True if the connection cannot be used after an error.

    ``0A000`` (a cached plan no longer fits) and ``26000`` (an unknown prepared statement) would
    come again on it for ever.
    """
    return is_lost(error) or error.sqlstate in _SPOILT


def explain(cause: str | None) -> str:
    """Return one sentence about what ended in this cause: a SQLSTATE, or a sentence of ours."""
    if cause is None:
        return "the database does not answer."
    if len(cause) != len(_READ_ONLY) or not cause.isalnum():
        return cause
    return f"the database {_WORDS.get(cause, 'cannot be used')} (SQLSTATE {cause})."


_WORDS = {
    "28000": "refuses the user",
    "28P01": "refuses the password",
    "3D000": "does not exist",
    "42501": "does not permit this to the user; see the roles in config/postgresql-roles.sql",
    "42P01": "has no tables; run: strongroom db upgrade",
    "53100": "cannot be written, because its disk is full",
    "53300": "has no connection free",
    "53400": "has no connection free",
}
