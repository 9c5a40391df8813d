"""HTTP/2 frame by frame, as a client that takes little or sends oddly would speak it."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import create_connection

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.nginx import Nginx


@dataclass
class Http2:
    """One connection over TLS."""

    opened: ssl.SSLSocket
    http: h2.connection.H2Connection
    authority: str

    def flush(self) -> None:
        self.opened.sendall(self.http.data_to_send())

    def ask(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], *, ends: bool = True
    ) -> int:
        """Begin a request; its stream."""
        stream = self.http.get_next_available_stream_id()
        first = [(":method", method), (":path", path), (":scheme", "https")]
        first.append((":authority", self.authority))
        self.http.send_headers(stream, [*first, *headers], end_stream=ends)
        self.flush()
        return stream

    def wait_for(self, kind: type[h2.events.Event], stream: int) -> h2.events.Event:
        """The next event of this kind on a stream; other events are taken in."""
        while True:
            received = self.opened.recv(65536)
            assert received
            events = self.http.receive_data(received)
            self.flush()
            for event in events:
                if isinstance(event, kind) and getattr(event, "stream_id", None) == stream:
                    return event

    def reset(self, stream: int) -> None:
        """Give up one stream; the connection stays."""
        self.http.reset_stream(stream)
        self.flush()

    def status_of(self, stream: int) -> int:
        """The status of the answer on a stream."""
        event = self.wait_for(h2.events.ResponseReceived, stream)
        assert isinstance(event, h2.events.ResponseReceived)
        return int(dict(event.headers)[b":status"])


@contextmanager
def http_2(
    front: Nginx, trust: ssl.SSLContext, *, window: int | None = None, name: str | None = None
) -> Iterator[Http2]:
    """A connection whose streams take ``window`` bytes ahead.

    Args:
        name: The host name that the client asks for, if it asks for one.
    """
    trust.set_alpn_protocols(["h2"])
    http = h2.connection.H2Connection(h2.config.H2Configuration())
    if window is not None:
        code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
        http.local_settings = h2.settings.Settings(initial_values={code: window})
    http.initiate_connection()
    with (
        create_connection(("127.0.0.1", front.port), timeout=30) as plain,
        trust.wrap_socket(plain, server_hostname=name or "127.0.0.1") as opened,
    ):
        connection = Http2(opened, http, name or "x")
        connection.flush()
        yield connection
