"""Labels: what people call accounts and API keys."""

from app.domain.errors import InvalidRequest

LABEL_LENGTH = 255


def check_label(field: str, text: str) -> None:
    """Refuse a label that is empty, longer than 255 characters, or not printable.

    Raises:
        InvalidRequest: Names the field, never the text.
    """
    if not text or len(text) > LABEL_LENGTH or not text.isprintable():
        rule = f"must be 1 to {LABEL_LENGTH} printable characters"
        raise InvalidRequest(f"The {field} is not valid.", {field: rule})
