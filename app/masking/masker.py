"""Replace values in a stream of output, however the stream is cut into pieces."""

from app.masking.search import ValueSearch

MASK = b"[masked]"

_AT_ONCE_BYTES = 512
_GROWTH = 8
_TELLING_BYTES = 4
_SHORT_PATIENCE_SECONDS = 0.05
_LONG_PATIENCE_SECONDS = 1.0


class Masker:
    """One stream in which values are replaced by ``[masked]``.

    Bytes that may begin a value are withheld, for as long as `patience` returns. What was released
    then is remembered: if the value goes on after all, its rest is still replaced. Bytes that are
    likely to begin a value wait until more is there, or for `finish`.

    All that is pending is searched again with each piece. Where much is pending and comes in small
    pieces, it is searched once it has grown by an eighth, or the stream pauses. So each byte is
    looked at a bounded number of times.

    Attributes:
        hits: The number of values that were replaced.
    """

    def __init__(self, search: ValueSearch) -> None:
        self.hits = 0
        self._search = search
        self._pending = b""
        self._new: list[bytes] = []  # the pieces after them, which were not searched
        self._new_bytes = 0
        self._awaits_more = False  # the end was not searched, since more was to follow at once
        self._spans: list[tuple[int, int]] = []  # the values in it, which may overlap
        self._shown = 0  # how many of the pending bytes the reader has, or has a mask for
        self._likely = 0  # where among them a value is likely to begin

    def feed(self, data: bytes, *, more: bool = False) -> bytes:
        """Take a piece of the stream. Returns what can be shown now.

        If ``more`` follows at once, some of its end waits for that: finding out what a value may
        begin with there is a good part of the work.
        """
        if data:
            self._new.append(data)
            self._new_bytes += len(data)
        count = len(self._pending) + self._new_bytes
        if count > _AT_ONCE_BYTES and self._new_bytes < count // _GROWTH:
            return b""
        return self._scan(more=more)

    def release(self) -> bytes:
        """Return the withheld bytes that are not likely to begin a value: the stream pauses."""
        shown = self._scan() if self._new or self._awaits_more else b""
        return shown + self._show(self._likely)

    def _scan(self, *, more: bool = False) -> bytes:
        self._pending = b"".join([self._pending, *self._new])
        self._new, self._new_bytes = [], 0
        self._awaits_more = more
        self._spans, end, likely = self._search.scan(self._pending, more=more)
        shown = self._show(end)
        self._pending = self._pending[end:]
        self._spans = [(start - end, stop - end) for start, stop in self._spans if stop > end]
        self._shown -= end
        self._likely = likely - end
        if not self._pending[self._shown :].strip(b"\r\n"):  # line ends alone show nothing
            self._likely = len(self._pending)
        return shown

    def _show(self, end: int) -> bytes:
        """Return what is pending before ``end``, with a mask for each value that begins there."""
        shown: list[bytes] = []
        at, masked_to = self._shown, 0
        for start, stop in self._spans:
            if start <= end and stop > at:
                if start >= masked_to:
                    self.hits += 1
                    shown += self._pending[at:start], MASK
                at = masked_to = stop
        shown.append(self._pending[at:end])
        self._shown = max(at, end)
        return b"".join(shown)

    def finish(self) -> bytes:
        """Return the withheld bytes, with a mask for those that are likely to begin a value."""
        released = self.release()
        rest = self._pending[self._shown :]
        self._shown = len(self._pending)
        return released + MASK + rest[len(rest.rstrip(b"\r\n")) :] if rest else released

    def patience(self) -> float | None:
        """Return the seconds of silence before `release` is due; ``None`` if nothing is withheld.

        Up to 3 bytes tell little and are usually there by chance: 50 ms, which nobody sees, and
        nothing at the end of a line, where programs often wait. More are rare: 1 s.
        """
        if self._shown >= self._likely and not self._new:
            return None
        pieces = [self._pending, *self._new]
        if sum(len(each.translate(None, b"\r\n")) for each in pieces) >= _TELLING_BYTES:
            return _LONG_PATIENCE_SECONDS
        return 0.0 if pieces[-1].endswith(b"\n") else _SHORT_PATIENCE_SECONDS
