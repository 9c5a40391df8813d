"""Recognises a value that a server repeats in the message of an error."""

_RUN_CHARACTERS, _LEAST_CHARACTERS = 8, 4


def repeats(text: str, value: str) -> bool:
    """Return True if the text has the value, in any form that masking finds, or a part of it.

    A part is 8 characters in a row. A value of less than 4 characters is like any other text.
    """
    return _has_part(text, value) or _is_masked(text, value)


def _has_part(text: str, value: str) -> bool:
    if len(value) < _LEAST_CHARACTERS:
        return False
    size = min(len(value), _RUN_CHARACTERS)
    seen = {text[i : i + size] for i in range(len(text) - size + 1)}
    return any(value[i : i + size] in seen for i in range(len(value) - size + 1))


def _is_masked(text: str, value: str) -> bool:
    # Slow to import, and needed only for an error.
    from app.masking.masker import Masker  # noqa: PLC0415
    from app.masking.search import ValueSearch  # noqa: PLC0415

    raw = text.encode(errors="replace")
    masker = Masker(ValueSearch([value]))
    return masker.feed(raw) + masker.finish() != raw
