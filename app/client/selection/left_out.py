"""The secrets of an account that ``--all`` leaves out, and the line that says so."""

from collections.abc import Callable, Iterable

from app.client.redeem import hide, printable

_NAMED = 3
_NAME_CHARACTERS = 64

NO_VARIABLE = "no name of a variable"
POWERFUL = "controls programs; --allow-name permits it"
ALREADY_SET = "already set; --override replaces it"
TAKEN = "its variable is chosen for another secret"
GONE = "deleted meanwhile"
REFUSED = "not returned by the server"
TOO_LARGE = "too large for an environment; see --file"
TOO_MANY = "too many"


class LeftOut:
    """Collects names by the reason for which they were left out.

    Attributes:
        of: The number of secrets that ``--all`` stands for.
    """

    def __init__(self) -> None:
        self.of = 0
        self._names: dict[str, list[str]] = {}

    def add(self, name: str, reason: str) -> None:
        """Note a name."""
        self._names.setdefault(reason, []).append(name)

    def show(self, say: Callable[[str], None]) -> None:
        """Say in one line what was left out, if anything was."""
        if self._names:
            count = sum(map(len, self._names.values()))
            groups = ", ".join(f"{_listed(ns)} ({why})" for why, ns in self._names.items())
            say(f"--all left out {count} of {self.of}: {groups}")


def no_variable(name: str) -> str:
    """Return the reason for a name that no variable can have."""
    return f"{NO_VARIABLE}; --secret {name.replace('-', '_').upper()}={name} gives it one"


def _listed(names: Iterable[str]) -> str:
    shown = [printable(hide(name))[:_NAME_CHARACTERS] for name in names]
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more} more" if more > 0 else "")
