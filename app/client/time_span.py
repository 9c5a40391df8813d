"""Spans of time on a command line, such as 90d or 12h."""

import re

import click

_UNITS = {
    "s": ("seconds", 1000),
    "m": ("minutes", 60_000),
    "h": ("hours", 3_600_000),
    "d": ("days", 86_400_000),
    "w": ("weeks", 604_800_000),
}


class TimeSpan(click.ParamType[int]):
    """A whole number with a unit, in milliseconds.

    Args:
        units: The letters that are accepted, of ``smhdw``.
    """

    name = "time span"

    def __init__(self, units: str) -> None:
        self._units = {letter: _UNITS[letter] for letter in units}

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Convert the text."""
        match = re.fullmatch("([0-9]{1,6})([a-z])", str(value))
        if match is None or match[2] not in self._units:
            names = ", ".join(f"{letter} ({name})" for letter, (name, _) in self._units.items())
            self.fail(
                f"must be a whole number and a unit, such as 90d. Units: {names}.", param, ctx
            )
        return int(match[1]) * self._units[match[2]][1]
