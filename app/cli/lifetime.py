"""Spans of time on the command line: ``90d``, ``12h``, ``30m``."""

import re

import click

_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile("([0-9]{1,6})([mhd])")


class Lifetime(click.ParamType[int]):
    """A span of time, converted to milliseconds."""

    name = "lifetime"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The span in milliseconds; the command fails when the text is not of the form."""
        match = _FORM.fullmatch(str(value))
        if match is None:
            self.fail("must be a number of days, hours or minutes: 90d, 12h or 30m.", param, ctx)
        return int(match[1]) * _MS[match[2]]


LIFETIME = Lifetime()
