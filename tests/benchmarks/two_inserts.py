"""The base of creating on PostgreSQL: Flask with two raw INSERTs in one transaction.

A create stores a secret, and the response for retries of its request. Here nothing else is done:
no authentication, no encryption, no validation.
"""

import os
import uuid

import psycopg
from flask import Flask, Response, request

URL = "BENCHMARK_DATABASE_URL"
"""The variable with the address of a database that has ``TABLES``."""

TABLES = """
CREATE TABLE plain_secrets (id text PRIMARY KEY, name text UNIQUE, value bytea NOT NULL);
CREATE TABLE plain_responses (key text PRIMARY KEY, body bytea NOT NULL)
"""

app = Flask(__name__)
_connections: dict[int, psycopg.Connection] = {}


@app.get("/")
def ready() -> Response:
    """An answer once the application is there."""
    return Response(b"{}", mimetype="application/json")


@app.post("/v1/secrets")
def create() -> Response:
    """Store what the request has."""
    given = request.get_json()
    row_id = str(uuid.uuid4())
    body = f'{{"id":"{row_id}","name":"{given["name"]}"}}'.encode()
    connection = _connection()
    with connection.transaction():
        connection.execute(
            "INSERT INTO plain_secrets VALUES (%s, %s, %s)",
            (row_id, given["name"], given["value"].encode()),
        )
        connection.execute(
            "INSERT INTO plain_responses VALUES (%s, %s)", (request.headers["x-request-id"], body)
        )
    return Response(body, mimetype="application/json")


def _connection() -> psycopg.Connection:
    """The connection of this worker, which has one thread."""
    process = os.getpid()
    if process not in _connections:
        url = os.environ[URL]  # noqa: TID251 - this is the whole of its settings
        _connections[process] = psycopg.connect(url, autocommit=True)
    return _connections[process]
