"""One output of a masked command on its way to ours."""

import os
import select
import time

from app.masking.masker import Masker

_READ_BYTES = 64 * 1024
_ROUND_BYTES = 256 * 1024  # at once, so that keys and signals have their turn
_HELD_BYTES = 1 << 20  # the most that a pipe or a terminal holds, pipe(7)


class OutputStream:
    """Reads what a command prints, without waiting for it, and prints what may be seen.

    Attributes:
        source: Where the command's output comes from.
        open: Whether more can come.
    """

    def __init__(self, source: int, sink: int, masker: Masker) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.open = True
        self._sink = sink
        self._masker = masker
        self._release_at: float | None = None

    def pump(self) -> int:
        """Pass on what is there, and tell how many bytes that are."""
        data = self._read()
        self._write(self._masker.feed(data))
        patience = self._masker.patience()
        self._release_at = None if patience is None else time.monotonic() + patience
        return len(data)

    def drain(self) -> None:
        """Pass on all that is there, and what was held back; not all that keeps coming."""
        left = _HELD_BYTES
        while left > 0 and self.open and (count := self.pump()):
            left -= count
        self._release_at = None
        self._write(self._masker.finish())

    def seconds_to_release(self) -> float | None:
        """How long what is held back may still wait; none if nothing is held back."""
        return None if self._release_at is None else max(0.0, self._release_at - time.monotonic())

    def release(self) -> None:
        """Print what was held back."""
        self._release_at = None
        self._write(self._masker.release())

    def _read(self) -> bytes:
        data = bytearray()
        while self.open and len(data) < _ROUND_BYTES:
            try:
                piece = os.read(self.source, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:  # EIO: the terminal has no other end any more
                piece = b""
            self.open = bool(piece)
            data += piece
        return bytes(data)

    def _write(self, text: bytes) -> None:
        """Print all of it, however long our reader takes; stop reading once there is none."""
        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                select.select([], [self._sink], [])
            except OSError:
                self.open = False
                return
