"""The checks of an import file that need no server: names, values, and both together."""

import re
from collections.abc import Iterable

from app.client.import_files.entries import Entry, Fault, Place
from app.client.redeem import hide

MAX_ENTRIES = 1000
_MAX_VALUE_BYTES = 65536  # STRONGROOM_MAX_VALUE_BYTES is this at most
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,254}")  # with hyphens if the server admits them
_ID = re.compile("(?:sec|acct|key|dk|inj|dep)_[0-9A-Za-z]{22}")

_ILLEGAL_NAME = (
    "the name must have letters, digits and underscores, at most 255, and begin with no digit"
)
_LOOKS_LIKE_ID = "the name must not look like an id"
_LOOKS_LIKE_CREDENTIAL = (
    "the name looks like a credential (strongroom secret set takes it if it is none)"
)
_NUL = "the value has a NUL, which no variable can have"
_SURROGATE = "the value has an unpaired surrogate, which is no character"
_TOO_LONG = f"the value is longer than {_MAX_VALUE_BYTES} bytes"


def name_rule(name: str) -> str | None:
    """Return the rule that a name breaks."""
    if _NAME.fullmatch(name) is None:
        return _ILLEGAL_NAME
    if _ID.fullmatch(name):
        return _LOOKS_LIKE_ID
    return None if hide(name) == name else _LOOKS_LIKE_CREDENTIAL


def value_rule(value: str) -> str | None:
    """Return the rule that a value breaks."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return _SURROGATE
    if "\0" in value:
        return _NUL
    return _TOO_LONG if size > _MAX_VALUE_BYTES else None


def faults_of(entries: Iterable[Entry]) -> list[Fault]:
    """Return a fault for each name that is illegal or given twice, and each illegal value."""
    faults, first = list[Fault](), dict[str, Place]()
    for entry in entries:
        of_name, of_value = name_rule(entry.name), value_rule(entry.value)
        if of_name is not None:
            faults.append(Fault(entry.place, of_name))
        if entry.name in first:
            rule = f"the name is given already, in {first[entry.name]}"
            faults.append(Fault(entry.place, rule, has_sure_name=of_name is None))
        if of_value is not None:
            faults.append(Fault(entry.place, of_value, has_sure_name=of_name is None))
        first.setdefault(entry.name, entry.place)
    return faults
