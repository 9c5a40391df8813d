"""Names of secrets on a command line."""

import re
from collections.abc import Sequence

from app.client.redeem import Fault, Refused

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,254}")
_NO_VALUE = "a value never stands on the command line: type it, pipe it, or use --file"


def faults_of_names(names: Sequence[str]) -> list[Fault]:
    """Return a fault, without the text, for each text that cannot be a name."""
    numbers = [number for number, name in enumerate(names, 1) if not _NAME.fullmatch(name)]
    return [
        Fault(f"NAME{number} must be a name in ASCII letters, digits, _ and -.")
        for number in (f" {each}" if len(names) > 1 else "" for each in numbers)
    ]


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
