"""Groups of commands whose help shows whole summaries, and that suggest the command you meant."""

from difflib import get_close_matches

import click
from click.shell_completion import CompletionItem

_NO_LIMIT = 1 << 20
_NO_COMMAND = "there is no such command."


class SummaryGroup(click.Group):
    """A group whose help shows the whole first sentence of each command.

    Click cuts it at the width of the terminal; here it goes on in the next line.
    """

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands with their summaries."""
        rows = [(name, self.summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command on a line. What is none is not repeated: it could be a value."""
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name)):
            near = get_close_matches(name, self.list_commands(ctx), 1)
            ctx.fail(f"there is no such command; did you mean {near[0]}?" if near else _NO_COMMAND)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete the name of a command, or an option of the group."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.summary(ctx, name)) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def summary(self, ctx: click.Context, name: str) -> str:
        """Return the first sentence of a command's help."""
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(_NO_LIMIT)
