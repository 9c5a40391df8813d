"""Names of secrets on a command line."""

import re
from collections.abc import Sequence

from app.client.api import Account
from app.client.redeem import Fault, Refused, RefusedByServer
from app.client.selection.choosing import MAX_LISTED
from app.client.selection.plain_names import could_be_name, is_plain_name

_FORBIDDEN = 403
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,254}")
_NO_VALUE = "a value never stands on the command line: type it, pipe it, or use --file"


def faults_of_names(names: Sequence[str]) -> list[Fault]:
    """Return a fault, without the text, for each text that cannot be a name."""
    numbers = [number for number, name in enumerate(names, 1) if not _NAME.fullmatch(name)]
    return [
        Fault(f"{_place(each, names)} must be a name in ASCII letters, digits, _ and -.")
        for each in numbers
    ]


def refuse_values(names: Sequence[str], account: Account) -> None:
    """Refuse each text that could be a value, unless the account's list has it.

    Such a text is neither sent nor shown. Where the API key may not list, its shape decides.
    """
    if all(map(is_plain_name, names)):
        return
    known, is_whole = _listed(account)
    unknown = [
        number
        for number, name in enumerate(names, 1)
        if name not in known and not is_plain_name(name) and (is_whole or not could_be_name(name))
    ]
    if unknown:
        reason = "the account has no secret of this name, which was not sent"
        if not is_whole:
            reason = "this could be a value and was not sent; the secret's id, sec_…, may be"
        raise Refused(*(Fault(f"{_place(number, names)}: {reason}.") for number in unknown))


def _listed(account: Account) -> tuple[set[str], bool]:
    """Return names and ids of the account, and True if they are all that it has."""
    try:
        secrets = account.secrets(MAX_LISTED)
    except RefusedByServer as refused:
        if refused.status != _FORBIDDEN:
            raise
        return set(), False
    return {text for each in secrets for text in (each.name, each.id)}, len(secrets) <= MAX_LISTED


def _place(number: int, names: Sequence[str]) -> str:
    return f"NAME {number}" if len(names) > 1 else "NAME"


def faults_of_one_name(arguments: tuple[str, ...]) -> list[Fault]:
    """Return the faults of arguments that must be one name, without repeating them."""
    if len(arguments) != 1:
        return [Fault(f"one NAME is expected, and nothing else; {_NO_VALUE}.")]
    if "=" in arguments[0]:
        return [Fault(f"NAME has a =; {_NO_VALUE}.")]
    return [] if _NAME.fullmatch(arguments[0]) else faults_of_names(arguments)


def faults_of(name: str, refused: Refused) -> list[Fault]:
    """Return the faults of a refusal, with the secret's name before each."""
    return [Fault(f"{name}: {fault.text}", fault.code) for fault in refused.faults]
