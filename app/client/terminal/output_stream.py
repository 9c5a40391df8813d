"""One stream of a masked command's output, on its way through the masker to ours.

The masker withholds bytes that may begin a value. They wait until more output decides, or until
the masker's patience ends; then `OutputStream.release` prints those that are unlikely to be one.
"""

import os
import select
import selectors
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

_ROUND_BYTES = 256 * 1024  # between two looks at keys and signals
_PIECE_BYTES = 32 * 1024  # masked while the terminal passes on the 13 KiB that it keeps
_PIPE_BYTES = 1 << 20  # the largest buffer of a pipe or a terminal, pipe(7)


class Filter(Protocol):
    """Changes a stream of output, as `app.masking.masker.Masker` does."""

    def feed(self, data: bytes, /, *, more: bool = False) -> bytes:
        """Take a piece of the stream. Returns what can be shown now, if no ``more`` follows."""

    def release(self) -> bytes:
        """Return withheld bytes: the stream pauses."""

    def finish(self) -> bytes:
        """Return the withheld bytes: the stream ends."""

    def patience(self) -> float | None:
        """Return the seconds of silence before `release` is due, None if nothing is withheld."""


class Unchanged:
    """The filter that changes nothing."""

    def feed(self, data: bytes, *, more: bool = False) -> bytes:  # noqa: ARG002 - none waits
        """Return the piece."""
        return data

    def release(self) -> bytes:
        """Return nothing, since nothing is withheld."""
        return b""

    finish = release

    def patience(self) -> None:
        """Return None, since nothing is withheld."""


class OutputStream:
    """Reads a command's output without blocking, and prints it masked.

    Attributes:
        source: The descriptor to read from.
        sink: The descriptor to print on.
        open: True while more output can come.
    """

    def __init__(self, source: int, sink: int, masker: Filter) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.open = True
        self.sink = sink
        self._buffer = memoryview(bytearray(_ROUND_BYTES))  # fresh memory for each read costs more
        self._piece_bytes = _PIECE_BYTES if os.isatty(sink) else _ROUND_BYTES
        self._masker = masker
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._release_at: float | None = None
        self._is_closed = False

    def pump(self) -> int:
        """Pass on the available output. Returns the number of bytes read.

        On a terminal it is masked and printed in pieces. A terminal keeps 13 KiB, so its reader
        has something to take while the next piece is masked. A write of everything would wait for
        the reader first. A pipe keeps more, and takes whole pages best.

        A command that prints much has filled its buffer again by the time of the last piece. Then
        that one is followed, too, and its end is searched once, with what comes next.
        """
        count = self._read()
        for start in range(0, count or 1, self._piece_bytes):
            stop = min(start + self._piece_bytes, count)
            piece = bytes(self._buffer[start:stop])
            self._write(self._masker.feed(piece, more=stop < count or self._has_more()))
        patience = self._masker.patience()
        self._release_at = None if patience is None else time.monotonic() + patience
        return count

    def _has_more(self) -> bool:
        """Return True if there is output to read at this moment."""
        if not self.open:
            return False
        return any(events & select.POLLIN for _, events in self._poll.poll(0))

    def drain(self) -> None:
        """Pass on the output that a pipe can hold; no output beyond that.

        A background process of the command may print for ever.
        """
        remaining = _PIPE_BYTES
        while remaining > 0 and self.open and (count := self.pump()):
            remaining -= count

    def finish(self) -> None:
        """Pass on withheld bytes, with a mask for those that are likely to begin a value."""
        self._release_at = None
        self._write(self._masker.finish())

    def seconds_to_release(self) -> float | None:
        """Return the seconds until withheld bytes are due, None if there are none."""
        return None if self._release_at is None else max(0.0, self._release_at - time.monotonic())

    def release(self) -> None:
        """Print withheld bytes."""
        self._release_at = None
        self._write(self._masker.release())

    def close(self) -> None:
        """Close the source."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self.source)

    def _read(self) -> int:
        """Fill the buffer with the available output. Returns the number of bytes."""
        count = 0
        while self.open and count < _ROUND_BYTES:
            try:
                more = os.readv(self.source, [self._buffer[count:]])
            except BlockingIOError:
                break
            except OSError:  # EIO: the terminal's other end is closed
                more = 0
            self.open = more > 0
            count += more
        return count

    def _write(self, text: bytes) -> None:
        """Print all of it, waiting for our reader. If the reader is gone, stop the stream."""

        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self.sink, rest) :]
            except BlockingIOError:
                select.select([], [self.sink], [])
            except OSError:
                self.open = False
                return


def listen(selector: selectors.BaseSelector, outputs: Sequence[OutputStream]) -> None:
    """Let `serve_once` read the outputs."""
    for output in outputs:
        read = partial(_read_once, selector, output)
        selector.register(output.source, selectors.EVENT_READ, read)


def serve_once(
    selector: selectors.BaseSelector,
    outputs: Sequence[OutputStream],
    limit: float | None = None,
) -> None:
    """Wait for an event, call what is registered for it, and release withheld bytes when due.

    Without an event, return after ``limit`` seconds.
    """
    waits = [limit, *(output.seconds_to_release() for output in outputs)]
    wait = min((each for each in waits if each is not None), default=None)
    for key, _ in selector.select(wait):
        if selector.get_map().get(key.fd) is key:  # a callback may have replaced it
            key.data()
    for output in outputs:
        if output.seconds_to_release() == 0:
            output.release()


def _read_once(selector: selectors.BaseSelector, output: OutputStream) -> None:
    output.pump()
    if not output.open:
        selector.unregister(output.source)
        output.close()
