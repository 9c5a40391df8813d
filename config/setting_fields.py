"""The kinds of settings, as fields of marshmallow: numbers, choices, switches, parsed texts."""

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf

T = TypeVar("T")


def number(name: str, default: int, minimum: int, maximum: int) -> fields.Field[int]:
    """Make a field for a whole number within bounds."""
    return fields.Function(
        deserialize=whole_number(minimum, maximum), data_key=name, load_default=default
    )


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Make a parser of ASCII digits: ``int`` also accepts signs, spaces and other digits."""

    def deserialise(text: str) -> int:
        if not re.fullmatch("[0-9]{1,15}", text) or not minimum <= int(text) <= maximum:
            raise ValidationError(f"must be a whole number from {minimum} to {maximum}.")
        return int(text)

    return deserialise


def choice(name: str, *choices: str, default: str) -> fields.Field[str]:
    """Make a field for one of these words."""
    one_of = OneOf(choices, error=f"must be one of {', '.join(choices)}.")
    return fields.String(data_key=name, load_default=default, validate=one_of)


def switch(name: str) -> fields.Field[bool]:
    """Make a field for 0 or 1; 0 is the default."""

    def deserialise(text: str) -> bool:
        if text not in {"0", "1"}:
            raise ValidationError("must be 0 or 1.")
        return text == "1"

    return fields.Function(deserialize=deserialise, data_key=name, load_default=False)


def parsed(
    name: str,
    parse: Callable[[str], T],
    fault: type[Exception] = ValueError,
    **options: Any,  # noqa: ANN401 - marshmallow's
) -> fields.Field[T]:
    """Make a field for a text with a parser of its own.

    Args:
        parse: Raises ``fault``, whose text says which rule is broken and repeats no input.
        options: Those of marshmallow, as ``load_default``.
    """

    def deserialise(text: str) -> T:
        try:
            return parse(text)
        except fault as error:
            raise ValidationError(str(error)) from None

    return fields.Function(deserialize=deserialise, data_key=name, **options)


def optional(text: str) -> str | None:
    """Return the text, or ``None`` if it is empty."""
    return text or None


def split_url(text: str) -> SplitResult | None:
    """Split a URL; ``None`` if it is none, or holds what is not ASCII, printable and visible."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # reads it, and refuses what is no port
    except ValueError:
        return None
    return parts
