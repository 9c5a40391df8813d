"""An accepted connection: HTTP/1.1, or HTTP/2 if a client on loopback starts with its preface."""

import ipaddress
from socket import SHUT_WR, socket
from typing import Any

from gunicorn import http
from gunicorn.http2 import negotiation
from gunicorn.workers.gthread import TConn

from app.server.bounded_socket import BoundedSocket
from app.server.http2 import Http2Connection

_LINGER_BYTES = 64 * 1024
_PIECE = 4096


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """The state of one connection in a worker.

    Attributes:
        timeout: It may wait without a thread until then, on the monotonic clock.
        has_turn: An HTTP/2 connection may have a thread now.
    """

    sock: BoundedSocket
    timeout: float
    initialized: bool

    def __init__(self, cfg: object, accepted: socket, client: Any, server: object) -> None:  # noqa: ANN401
        super().__init__(cfg, BoundedSocket.take(accepted), client, server)
        self.has_turn = False
        self._drained = 0

    def init(self) -> None:
        """Detect the protocol, once, when the client has sent something."""
        if self.initialized:
            return
        self.initialized = True
        taken = b""
        if self.is_direct and ipaddress.ip_address(self.client[0]).is_loopback:
            speaks_http2, taken = negotiation.read_preface_blocking(self.sock)
            if speaks_http2:
                self.is_http2 = True
                self.parser = Http2Connection(self.cfg, self.sock, self.client)
                self.parser.initiate_connection()
                self.parser.receive_data(taken)
                return
        self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader.unread(taken)

    @property
    def is_direct(self) -> bool:
        """True over TCP: a Unix socket is for a proxy, which needs no HTTP/2."""
        return isinstance(self.client, tuple)

    def half_close(self) -> bool:
        """Close our direction. Returns True if the connection can be closed at once.

        Closing a connection with unread bytes resets it, and the client may lose the response.
        """
        if self.sock.is_given_up:
            return True
        self.sock.begin()
        try:
            self.sock.shutdown(SHUT_WR)
        except OSError:
            return True
        return self.drain()

    def drain(self) -> bool:
        """Discard what the client still sends. Returns True if it has ended, or sends too much."""
        self.sock.settimeout(0)
        try:
            while received := self.sock.recv(_PIECE):
                self._drained += len(received)
                if self._drained >= _LINGER_BYTES:
                    return True
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True
