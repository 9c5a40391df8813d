"""Holds a PostgreSQL server at one statement: through ``FaultyProxy``, by the first bytes of what
clients send, and by the state of the transaction that the server reports with each answer.
"""

import socket
from contextlib import suppress
from enum import Enum
from threading import Lock, Thread

from tests.support.faulty_proxy import Link

_CHUNK = 1 << 16
_STATEMENTS = b"QPB"  # Query, Parse, Bind: each begins what is sent for one statement
_READY = b"Z\0\0\0\x05"
_IDLE = b"I"


class Hold(Enum):
    """The fate of a statement."""

    LOST = "lost before the server has it"
    UNANSWERED = "done, and lost before its answer arrives"
    SILENT = "never answered, on a connection that stays open"


class HeldServer:
    """A fault that lets everything pass but the one statement for which it was armed.

    Attributes:
        count: The number of statements since it was armed.
        was_idle: The held statement was outside a transaction; ``None`` before it came.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._at: int | None = None
        self._hold = Hold.LOST
        self.count = 0
        self.was_idle: bool | None = None

    def arm(self, at: int | None, hold: Hold = Hold.LOST) -> None:
        """Hold the statement at this place from now on; ``None`` to count only."""
        with self._lock:
            self._at, self._hold = at, hold
            self.count, self.was_idle = 0, None

    def __call__(self, link: Link) -> None:
        """Relay one connection."""
        with link.upstream() as upstream:
            for each in (link.client, upstream):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Relay(self, link, upstream).run()

    def meet(self, *, is_idle: bool) -> Hold | None:
        """Count a statement, and return its fate."""
        with self._lock:
            place, self.count = self.count, self.count + 1
            if place != self._at:
                return None
            self.was_idle = is_idle
            return self._hold


class _Relay:
    """One connection and its state."""

    def __init__(self, server: HeldServer, link: Link, upstream: socket.socket) -> None:
        self._server, self._link, self._upstream = server, link, upstream
        self._is_idle = True
        self._hold: Hold | None = None

    def run(self) -> None:
        """Copy both ways until one side ends, or the connection is lost."""
        answering = Thread(target=self._answer, daemon=True)
        answering.start()
        try:
            self._ask()
        finally:
            _cut(self._upstream)
            _cut(self._link.client)
            answering.join()

    def _ask(self) -> None:
        while chunk := self._link.client.recv(_CHUNK):
            is_statement = chunk[0] in _STATEMENTS
            hold = self._server.meet(is_idle=self._is_idle) if is_statement else None
            if hold is Hold.LOST:
                return
            self._hold = self._hold or hold
            self._upstream.sendall(chunk)

    def _answer(self) -> None:
        with suppress(OSError):
            while chunk := self._upstream.recv(_CHUNK):
                if chunk[-6:-1] == _READY:
                    self._is_idle = chunk[-1:] == _IDLE
                if self._hold is None:
                    self._link.client.sendall(chunk)
                elif self._hold is Hold.UNANSWERED:
                    break
        _cut(self._link.client)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
