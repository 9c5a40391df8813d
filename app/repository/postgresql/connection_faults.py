"""Names the fault of a connection that was refused, for an operator.

libpq reports a refusal of a server, a certificate or an address as a text alone, without a
SQLSTATE. The text repeats names and addresses, so it is only recognised here, never shown. A server
that speaks another language than English, or a fault that is not listed, gets the last sentence.
"""

import psycopg

NONE_FREE = "the server has no connection free; see docs/settings.md, Connections to PostgreSQL."

_BY_TEXT = (
    (
        ("unsupported startup parameter",),
        "a pooler refuses our session; set STRONGROOM_DATABASE_POOLER=1.",
    ),
    (
        ("certificate verify failed",),
        "the server's certificate is not signed by the authority that sslrootcert names.",
    ),
    (
        ("root certificate", "could not load system root"),
        "the file that sslrootcert names cannot be read as certificates.",
    ),
    (
        ("does not match host name",),
        "the server's certificate is for another name than the host's.",
    ),
    (
        ("certificate file", "private key file", "certificate present, but not private key"),
        "the files that sslcert and sslkey name cannot be used.",
    ),
    (("does not support SSL",), "the server speaks no TLS; set ssl = on there."),
    (
        ("no password supplied",),
        "the server asks for a password; name its file by passfile=, with mode 0600.",
    ),
    (("password authentication failed",), "the server refuses the user or the password."),
    (
        ("authentication method requirement", "requested SCRAM", "channel binding"),
        "the server does not ask for the password by SCRAM; see docs/settings.md.",
    ),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        "the server's pg_hba.conf does not admit this user from here to this database.",
    ),
    (("is not permitted to log in",), "the user may not log in; it must be a role with LOGIN."),
    (
        ('database "', "no such database", "permission denied for database"),
        "there is no such database, or the user may not connect to it.",
    ),
    (
        ("too many clients", "remaining connection slots", "too many connections"),
        NONE_FREE,
    ),
    (('role "', "no such user"), "the server refuses the user or the password."),
    (
        ("hot standby mode", "session is read-only", "is in recovery"),
        "no host of it is the primary; list all nodes of the cluster.",
    ),
    (
        ("starting up", "shutting down", "not yet accepting connections"),
        "the server is starting or stopping.",
    ),
    (
        ("definition of service", "service file"),
        "libpq's PGSERVICE is set and cannot be used; unset it.",
    ),
    (("failed to resolve", "could not translate"), "the name of the host cannot be resolved."),
    (
        ("Connection refused", "No such file", "Permission denied"),
        "nothing listens at the host and port.",
    ),
    (("timeout", "timed out", "unreachable"), "the server does not answer."),
)
_UNKNOWN = "no connection is made; the log of the server says why."


def explain_connecting(error: psycopg.Error) -> str:
    """Return one sentence about a connection that was not made, without its text."""
    text = str(error)
    for parts, sentence in _BY_TEXT:
        if any(part in text for part in parts):
            return sentence
    return _UNKNOWN
