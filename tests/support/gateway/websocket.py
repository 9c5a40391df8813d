"""The server's end of a WebSocket over a recorded connection, as far as short messages need it."""

import base64
import hashlib
from dataclasses import dataclass

from tests.support.gateway.recorder import Connection, Received, Recorder

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LAST = 0x80
_TEXT = 0x1
_CLOSE = 0x8
_SHORT = 126
_MASK_BYTES = 4


@dataclass(frozen=True)
class WebSocket:
    """A WebSocket whose messages the upstream records, in clear, among all bytes that came."""

    connection: Connection
    upstream: Recorder

    @classmethod
    async def accept(
        cls, connection: Connection, received: Received, upstream: Recorder
    ) -> "WebSocket":
        """Answer the handshake."""
        (key,) = received.all("Sec-WebSocket-Key")
        digest = hashlib.sha1(key.encode() + _GUID).digest()  # noqa: S324 - RFC 6455
        await connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        return cls(connection, upstream)

    async def read(self) -> str:
        """Return the next text message, which is short and in one frame."""
        return (await self._frame(_TEXT)).decode()

    async def send(self, text: str) -> None:
        """Send a short text message."""
        data = text.encode()
        assert len(data) < _SHORT
        await self.connection.send(bytes((_LAST | _TEXT, len(data))) + data)

    async def until_closed(self) -> None:
        """Wait until the client closes, and agree."""
        data = await self._frame(_CLOSE)
        await self.connection.send(bytes((_LAST | _CLOSE, len(data))) + data)

    async def _frame(self, kind: int) -> bytes:
        first, length = await self.connection.reader.readexactly(2)
        assert (first, length & _LAST) == (_LAST | kind, _LAST)
        length &= ~_LAST
        if length == _SHORT:
            length = int.from_bytes(await self.connection.reader.readexactly(2), "big")
        mask = await self.connection.reader.readexactly(_MASK_BYTES)
        masked = await self.connection.reader.readexactly(length)
        data = bytes(each ^ mask[place % _MASK_BYTES] for place, each in enumerate(masked))
        self.upstream.raw += data
        return data
