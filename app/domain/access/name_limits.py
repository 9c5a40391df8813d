"""The names of secrets to which an API key is limited."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.errors import InvalidRequest
from app.domain.ids import is_any_id
from app.domain.secrets import could_be_name

MAX_NAMES = 64
_ANY_END = "*"
_BETWEEN = " "
_RULE = (
    f"must be 1 to {MAX_NAMES} names of secrets, or beginnings of names with {_ANY_END} at the end"
)


@dataclass(frozen=True, slots=True)
class NameLimit:
    """Names of secrets, and beginnings of names.

    Attributes:
        patterns: ``NAME`` for exactly that one, ``PREFIX*`` for all that begin so; sorted.
    """

    patterns: tuple[str, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> "NameLimit":
        """The limit that somebody asks for.

        Raises:
            InvalidRequest: There are none or too many, or one is neither a name nor a beginning.
        """
        wanted = tuple(sorted(set(patterns)))
        if not 1 <= len(wanted) <= MAX_NAMES or not all(map(_is_pattern, wanted)):
            raise InvalidRequest("The names are not valid.", {"names": _RULE})
        return cls(wanted)

    @classmethod
    def from_text(cls, text: str) -> "NameLimit":
        """The limit in a column; it permits nothing that is not in the text."""
        return cls(tuple(text.split(_BETWEEN)))

    def to_text(self) -> str:
        """The column of this limit; no pattern holds a space."""
        return _BETWEEN.join(self.patterns)

    def permits(self, name: str) -> bool:
        """Return True if the key may inject the secret of this name."""
        return any(
            name.startswith(pattern[:-1]) if pattern.endswith(_ANY_END) else name == pattern
            for pattern in self.patterns
        )


def _is_pattern(text: str) -> bool:
    return could_be_name(text.removesuffix(_ANY_END)) and not is_any_id(text)
