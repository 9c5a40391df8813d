"""One stream of a masked command's output, on its way through the masker to ours.

The masker withholds bytes that may begin a value. They wait until more output decides, or until
the masker's patience ends; then `OutputStream.release` prints those that are unlikely to be one.
"""

import os
import select
import time

from app.masking.masker import Masker

_READ_BYTES = 64 * 1024
_ROUND_BYTES = 256 * 1024  # between two looks at keys and signals
_PIPE_BYTES = 1 << 20  # the largest buffer of a pipe or a terminal, pipe(7)


class OutputStream:
    """Reads a command's output without blocking, and prints it masked.

    Attributes:
        source: The descriptor to read from.
        open: True while more output can come.
    """

    def __init__(self, source: int, sink: int, masker: Masker) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.open = True
        self._sink = sink
        self._masker = masker
        self._release_at: float | None = None

    def pump(self) -> int:
        """Pass on the available output. Returns the number of bytes read."""
        data = self._read()
        self._write(self._masker.feed(data))
        patience = self._masker.patience()
        self._release_at = None if patience is None else time.monotonic() + patience
        return len(data)

    def drain(self) -> None:
        """Pass on the output that a pipe can hold, and withheld bytes; no output beyond that.

        A background process of the command may print for ever.
        """

        remaining = _PIPE_BYTES
        while remaining > 0 and self.open and (count := self.pump()):
            remaining -= count
        self._release_at = None
        self._write(self._masker.finish())

    def seconds_to_release(self) -> float | None:
        """Return the seconds until withheld bytes are due, None if there are none."""
        return None if self._release_at is None else max(0.0, self._release_at - time.monotonic())

    def release(self) -> None:
        """Print withheld bytes."""
        self._release_at = None
        self._write(self._masker.release())

    def _read(self) -> bytes:
        data = bytearray()
        while self.open and len(data) < _ROUND_BYTES:
            try:
                piece = os.read(self.source, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:  # EIO: the terminal's other end is closed
                piece = b""
            self.open = bool(piece)
            data += piece
        return bytes(data)

    def _write(self, text: bytes) -> None:
        """Print all of it, waiting for our reader. If the reader is gone, stop the stream."""

        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                select.select([], [self._sink], [])
            except OSError:
                self.open = False
                return
