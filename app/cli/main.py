"""The command ``strongroom``: its commands, and the one place where it reads its environment."""

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

_CLIENTS = {"run", "redeem"}  # which pass signals on, or leave them to what they become


class _Commands(click.Group):
    """Imports a command's module when it is called, since starting a process must not wait."""

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
        except Exception as error:  # noqa: BLE001 - nothing may end in a traceback
            ctx.exit(report(error))


class _Verbatim(click.Command):
    """Leaves its arguments to the function."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def strongroom() -> None:
    """Strongroom: a self-hosted server for the Runloop Secrets API."""


@strongroom.command("redeem", cls=_Verbatim, help="Redeem an injection, then become a command.")
@click.pass_context
def redeem_(context: click.Context) -> None:
    """Hand over to the file that also stands alone."""
    context.exit(redeem.main(context.args, context.obj))


def _print_every_name() -> None:
    """Show what the locale cannot, too; a stream that was closed is none."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _close_when_told_to_end() -> None:
    """Make a signal end the command as an error does, so that the database is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main() -> None:
    """Run the command with this process's arguments and environment."""
    redeem.forbid_dumps()
    logs.configure("CRITICAL")  # what failed is said once, by app.cli.errors
    if not _CLIENTS & set(sys.argv[1:2]):
        keep_standard_streams()
        _print_every_name()
        _close_when_told_to_end()
    strongroom.main(prog_name="strongroom", obj=os.environ)


if __name__ == "__main__":
    main()
