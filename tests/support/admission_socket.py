"""Asks for admissions as a gateway does, and as nobody should: over any socket, as any user."""

import json
import os
import socket
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import get_context
from typing import Any

_SECONDS = 20.0


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """What the API answered.

    Attributes:
        raw: All bytes of the body.
    """

    status: int
    body: Any
    raw: bytes
    retry_after: str | None = None

    @property
    def code(self) -> str:
        code: str = self.body["code"]
        return code


def ask(
    path: str, target: str, body: object = None, key: str | None = None, method: str = "POST"
) -> Answer:
    """Send one request over a Unix socket."""
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    connection = _UnixConnection(path)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, target, sent, headers)
        response = connection.getresponse()
        raw = response.read()
        return Answer(response.status, json.loads(raw), raw, response.headers.get("Retry-After"))
    finally:
        connection.close()


def admission(token: str, /, **changes: object) -> dict[str, object]:
    """The body of a request for an admission."""
    return {
        "token": token,
        "config": None,
        "method": "POST",
        "path": "/v1/messages",
        "query": [],
        "address": "203.0.113.9",
        "upgrade": False,
    } | changes


def ask_as(user: int, group: int, *arguments: Any) -> Answer | str:
    """Do the same from a process of another user. Returns the name of the error if it fails."""
    results = get_context("fork").SimpleQueue()
    process = get_context("fork").Process(target=_ask_as, args=(user, group, results, arguments))
    process.start()
    found: Answer | str = results.get()
    process.join()
    return found


def _ask_as(user: int, group: int, results: Any, arguments: tuple[Any, ...]) -> None:
    try:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
        results.put(ask(*arguments))
    except OSError as error:
        results.put(type(error).__name__)
