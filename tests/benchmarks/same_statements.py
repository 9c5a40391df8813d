"""The floor of reading on PostgreSQL: Flask that runs the statements of a read by bare psycopg.

Nothing else is done: no token is parsed, no row is verified, no wait has a bound.
"""

import json
import os
from functools import cache

import psycopg
from flask import Flask, Response

URL = "BENCHMARK_DATABASE_URL"
"""The variable with the address of the database."""

STATEMENTS = "BENCHMARK_STATEMENTS"
"""The variable with the statements as JSON: text and parameters of each."""

app = Flask(__name__)
_connections: dict[int, psycopg.Connection] = {}


@app.get("/")
def read() -> Response:
    """Run each statement, and show the rows of the last."""
    connection = _connection()
    read = [connection.execute(*each).fetchall() for each in _statements()]
    return Response(json.dumps(read[-1]), mimetype="application/json")


@cache
def _statements() -> list[tuple[bytes, dict[str, object]]]:
    given = json.loads(os.environ[STATEMENTS])  # noqa: TID251 - this is the whole of its settings
    return [(sql.encode(), parameters) for sql, parameters in given]


def _connection() -> psycopg.Connection:
    """The connection of this worker, which has one thread."""
    process = os.getpid()
    if process not in _connections:
        url = os.environ[URL]  # noqa: TID251 - the same
        _connections[process] = psycopg.connect(url, autocommit=True)
    return _connections[process]
