"""Texts that cannot be printed, pickled or compared in a way that reveals them."""

import hmac
from typing import NoReturn, SupportsIndex


class Redacted:
    """A text that only ``reveal`` shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for sealing it, hashing it or handing it to who may have it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Redacted):
            return NotImplemented
        mine, theirs = self._text.encode(errors="replace"), other._text.encode(errors="replace")
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<redacted>)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("what holds a secret cannot be pickled or copied by protocol")
