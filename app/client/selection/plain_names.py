"""Tells names of secrets from values that somebody typed or wrote in their place.

``DB_PASS=hunter2`` may be an entry of a mapping or a line of a .env file. A name that is plainly
one, such as ``DATABASE_PASSWORD``, may be sent and shown. Any other text is sent and shown only
after the account's list has it. Where the list cannot be read, only the shape can decide.
"""

import re

from app.client.redeem import hide

_ID = re.compile("sec_[0-9A-Za-z]{10,64}")
_CAPITALS = re.compile("[A-Z]{1,20}[0-9]{0,3}|[A-Z0-9]{2,4}")
_WORDS = re.compile("[A-Za-z]{1,20}[0-9]{0,3}([_-]+([A-Za-z]{1,20}[0-9]{0,3}|[0-9]{1,4}))*")
_DOTENV = re.compile(r"(.*\.)?env(\..*)?", re.IGNORECASE)


def is_plain_name(text: str) -> bool:
    """Return True for an id, and for capitals in words, such as DATABASE_PASSWORD.

    Digits in a single word, or in more than one, make a text look like a generated value.
    """
    if is_id(text):
        return True
    words = text.strip("_").split("_")
    numbered = sum(bool(re.search("[0-9]", word)) for word in words)
    is_capitals = all(map(_CAPITALS.fullmatch, words))
    return is_capitals and numbered <= min(1, len(words) // 2) and not is_credential(text)


def is_id(text: str) -> bool:
    """Return True for the id of a secret."""
    return _ID.fullmatch(text) is not None


def is_credential(text: str) -> bool:
    """Return True for a text that messages hide."""
    return hide(text) != text


def could_be_name(text: str) -> bool:
    """Return True for words, in which a text without its list is taken for a name."""
    return _WORDS.fullmatch(text.strip("_")) is not None and not is_credential(text)


def is_dotenv(file_name: str) -> bool:
    """Return True for the names under which people store values, such as .env and prod.env."""
    return _DOTENV.fullmatch(file_name) is not None
