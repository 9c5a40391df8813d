"""Compares names that could be values with the account's list, before any of them is sent."""

from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from app.client.api import Secret
from app.client.redeem import Fault, Refused
from app.client.selection.entries import Entry, describe_values
from app.client.selection.plain_names import could_be_name, is_id


class Listed(NamedTuple):
    """The secrets of the account; not all of them, if there are very many."""

    secrets: Collection[Secret]
    is_whole: bool


def verify(entries: Iterable[Entry], listed: Listed | None) -> tuple[str, ...]:
    """Refuse names that the account does not have and that could be values.

    Args:
        listed: None if the API key may not list names, so that shapes must decide.

    Returns the places of names that could be values, and were not compared.
    """
    doubtful = [entry for entry in entries if entry.may_be_value or entry.needs_variable]
    secrets = listed.secrets if listed else ()
    known = {each.name for each in secrets} | {each.id for each in secrets}
    faults = [_hyphen_fault(each, known) for each in doubtful if each.needs_variable]
    rest = [each for each in doubtful if each.name not in known and not each.needs_variable]
    if listed and listed.is_whole:
        faults += _value_faults(rest)
        unverified = []
    else:
        unverified = [each for each in rest if _may_be_sent(each)]
        unsent = [each for each in rest if not _may_be_sent(each)]
        faults += [*_value_faults(unsent), _NO_LIST] if unsent else []
    if faults:
        raise Refused(*faults)
    return tuple(each.place for each in unverified)


_NO_LIST = Fault(
    "This API key cannot list all names to compare (scope secrets:read), so a name that could be "
    "a value is not sent; the secret's id, sec_…, is."
)


def _may_be_sent(entry: Entry) -> bool:
    return is_id(entry.name) or (could_be_name(entry.name) and not entry.is_from_dotenv)


def _hyphen_fault(entry: Entry, known: Collection[str]) -> Fault:
    """Name what to type, with the name itself only if it is known to be one."""
    shown = entry.with_variable if entry.name in known else "MY_KEY=my-key"
    option = "" if entry.file else f"{entry.place.split()[0]} "
    return Fault(f"{entry.place}: a name with hyphens needs a variable, as in {option}{shown}.")


def _value_faults(entries: Iterable[Entry]) -> list[Fault]:
    """Return a fault for each option, and one for all lines of a file."""
    faults = []
    for file, group in groupby(entries, key=lambda entry: entry.file):
        places = [*group]
        if isinstance(file, Path):
            lines = [each.line for each in places]
            faults.append(Fault(f"--from: {describe_values(file, lines)}"))
        else:
            faults += [Fault(f"{each.place}: {_NO_SUCH_NAME}.") for each in places]
    return faults


_NO_SUCH_NAME = (
    "the account has no secret of this name, which was not sent; `strongroom secret set` stores a "
    "value"
)
