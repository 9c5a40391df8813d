"""The command ``strongroom``: its subcommands, and the one place that reads its environment."""

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

import click

from app.cli.errors import report
from app.client import redeem
from app.client.messages import usage_errors
from app.observability import logs
from app.observability.standard_streams import keep_standard_streams

_MODULES = {
    "init": "app.cli.commands.init:init",
    "check": "app.cli.commands.check:check",
    "db": "app.cli.commands.db:db",
    "backup": "app.cli.commands.backup:backup",
    "restore": "app.cli.commands.backup:restore",
    "account": "app.cli.commands.account:account",
    "api-key": "app.cli.commands.api_key:api_key",
    "keyring": "app.cli.commands.keyring:keyring",
    "run": "app.client.run:run",
}

_CLIENTS = {"run", "redeem"}  # these pass signals on, or leave them to the user's command


class _Commands(click.Group):
    """Imports a command's module only when it is called, to start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_MODULES, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return super().get_command(ctx, cmd_name)
        module, _, name = _MODULES[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with usage_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with usage_errors():
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - a traceback could show values
            ctx.exit(report(error))


class _Verbatim(click.Command):
    """Passes its arguments on, unparsed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def strongroom() -> None:
    """Strongroom: a self-hosted server for the Runloop Secrets API."""


@strongroom.command("redeem", cls=_Verbatim, help="Redeem an injection, then become a command.")
@click.pass_context
def redeem_(context: click.Context) -> None:
    """Call the file that also works alone."""
    context.exit(redeem.main(context.args, context.obj))


def _print_every_name() -> None:
    """Escape characters that the locale lacks, on streams that are open."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_when_told_to_end() -> None:
    """Make a signal end the command like an error, so that the database is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main() -> None:
    """Run the command with this process's arguments and environment."""
    redeem.forbid_dumps()
    logs.configure("CRITICAL")  # app.cli.errors reports failures, once
    if not _CLIENTS & set(sys.argv[1:2]):
        keep_standard_streams()
        _print_every_name()
        _close_when_told_to_end()
    strongroom.main(prog_name="strongroom", obj=os.environ)


if __name__ == "__main__":
    main()
