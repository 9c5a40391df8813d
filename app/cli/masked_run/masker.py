"""Replace values in a stream of output, however the stream is cut into pieces."""

from app.cli.masked_run.value_search import ValueSearch, squeeze

MASK = b"[masked]"

_TELLING_BYTES = 4
_SHORT_PATIENCE_SECONDS = 0.05
_LONG_PATIENCE_SECONDS = 1.0


class Masker:
    """One stream in which values are replaced by ``[masked]``.

    What may be the beginning of a value is held back; `patience` says for how long. What was
    released then is remembered: if the value goes on after all, its rest is still replaced.
    """

    def __init__(self, search: ValueSearch) -> None:
        self._search = search
        self._pending = b""
        self._shown = 0  # how many of the pending bytes the reader has, or has a mask for

    def feed(self, data: bytes) -> bytes:
        """Take a piece of the stream and give what can be shown now."""
        self._pending += data
        spans, end = self._search.scan(self._pending)
        shown, at, masked_to = bytearray(), self._shown, 0
        for start, stop in spans:
            if stop > at:
                if start >= masked_to:
                    shown += self._pending[at:start] + MASK
                at = masked_to = stop
        shown += self._pending[at:end]
        self._shown = max(at - end, 0)
        self._pending = self._pending[end:]
        return bytes(shown)

    def release(self) -> bytes:
        """Give up waiting, and give what was held back."""
        held = self._pending[self._shown :]
        self._shown = len(self._pending)
        return held

    def patience(self) -> float | None:
        """For how many seconds of silence to wait before `release`; none if nothing is held.

        Up to 3 bytes tell little and are usually there by chance: 50 ms, which nobody sees, and
        nothing at the end of a line, where programs often wait. More are rare: 1 s.
        """
        if self._shown == len(self._pending):
            return None
        if len(squeeze(self._pending)) >= _TELLING_BYTES:
            return _LONG_PATIENCE_SECONDS
        return 0.0 if self._pending.endswith(b"\n") else _SHORT_PATIENCE_SECONDS
