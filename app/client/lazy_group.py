"""A group that imports a command's module only when it is called, to start fast."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click

from app.client.summaries import SummaryGroup


class LazyCommand(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        place: The module and the attribute, with a colon between.
        summary: The first sentence of its help.
    """

    place: str
    summary: str

    @property
    def is_client(self) -> bool:
        """True if it runs beside a user's process, without code of the server."""
        return self.place.startswith("app.client.")


class LazyGroup(SummaryGroup):
    """A group that lists commands by a table, without importing them.

    Args:
        table: The commands by name, in the order of the help.
    """

    def __init__(self, *args: Any, table: Mapping[str, LazyCommand], **options: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*self.table, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of this name."""
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.table[cmd_name].place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def summary(self, ctx: click.Context, name: str) -> str:
        """Return the first sentence of a command's help, as the table has it."""
        return self.table[name].summary if name in self.table else super().summary(ctx, name)
