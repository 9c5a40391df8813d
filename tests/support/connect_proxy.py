"""An HTTP proxy that opens tunnels by CONNECT, whatever the server's name, all to one address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Event, Thread

from tests.support.faulty_proxy import Link, relay


@dataclass
class ConnectProxy:
    """What it shall do, and what it was asked.

    Attributes:
        port: On 127.0.0.1.
        upstream: Where every tunnel leads.
        refusals: Status codes for the next requests, before it opens tunnels.
        requests: The first line and the headers of each request.
    """

    upstream: tuple[str, int]
    port: int = 0
    refusals: list[int] = field(default_factory=list)
    requests: list[tuple[str, Message]] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        """HOST:PORT of each request."""
        return [line.split()[1] for line, _ in self.requests]


@contextmanager
def connect_proxy(upstream: str) -> Iterator[ConnectProxy]:
    """Serve until the block ends."""
    host, _, port = upstream.rpartition("/")[2].rpartition(":")
    proxy = ConnectProxy((host, int(port)))

    class Handler(BaseHTTPRequestHandler):
        rbufsize = 0  # what follows the request belongs to the tunnel

        def handle(self) -> None:
            line = self.rfile.readline().decode()
            proxy.requests.append((line, parse_headers(self.rfile)))
            if not line.startswith("CONNECT "):
                self.wfile.write(b"HTTP/1.1 405 No\r\n\r\n")
            elif proxy.refusals:
                echo = proxy.requests[-1][1].get("Proxy-Authorization", "")
                status = proxy.refusals.pop(0)
                self.wfile.write(f"HTTP/1.1 {status} No {echo}\r\nX: {echo}\r\n\r\n".encode())
            else:
                self.wfile.write(b"HTTP/1.1 200 Established\r\n\r\n")
                relay(Link(self.connection, self._connect, Event()))

        def _connect(self) -> socket.socket:
            return socket.create_connection(proxy.upstream)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
