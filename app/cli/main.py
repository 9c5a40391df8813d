"""The command ``strongroom``: its subcommands, and the one place that reads its environment."""

import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

import click

from app.client import redeem
from app.client.lazy_group import LazyCommand, LazyGroup
from app.client.messages import say, usage_errors
from app.client.output import forget_output
from app.observability import logs
from app.observability.standard_streams import keep_standard_streams

_COMMANDS = {
    "init": LazyCommand(
        "app.cli.commands.init:init",
        "Make the parts that are missing: key file, database, first account, API key, client.env.",
    ),
    "check": LazyCommand(
        "app.cli.commands.check:check",
        "Check settings, providers, migrations, the system key and this machine.",
    ),
    "db": LazyCommand("app.cli.commands.db:db", "The database."),
    "backup": LazyCommand(
        "app.cli.commands.backup:backup", "Write the database as it is now to the new FILE."
    ),
    "restore": LazyCommand(
        "app.cli.commands.backup:restore", "Replace the database by the backup FILE."
    ),
    "account": LazyCommand(
        "app.cli.commands.account:account", "Accounts: each owns secrets and API keys of its own."
    ),
    "api-key": LazyCommand(
        "app.cli.commands.api_key:api_key", "API keys, with which clients authenticate."
    ),
    "serve": LazyCommand(
        "app.cli.commands.serve:serve", "Start the server and, beside it, the agent gateway."
    ),
    "gateway": LazyCommand(
        "app.cli.commands.gateway:gateway",
        "Start the agent gateway; its keys; the switch for all its traffic.",
    ),
    "keyring": LazyCommand(
        "app.cli.commands.keyring:keyring",
        "Root keys: status, history, rewrap, re-encrypt, retire, recover.",
    ),
    "audit": LazyCommand(
        "app.cli.commands.audit:audit",
        "The audit trail: list, export, verify, sign its head, cut what is old enough.",
    ),
    "secret": LazyCommand(
        "app.client.secret.group:secret",
        "Secrets of your account: set, list, get, delete, history, rollback, import, export.",
    ),
    "token": LazyCommand(
        "app.client.issue_token:issue_token", "Print the token of a new injection."
    ),
    "gateway-token": LazyCommand(
        "app.client.gateway_token.group:gateway_token",
        "Gateway tokens of your account, with which agents use secrets: list, revoke.",
    ),
    "run": LazyCommand("app.client.run:run", "Start a command with secrets in its environment."),
}

_PASS_SIGNALS = {"run", "redeem"}  # they pass signals on, or leave them to the user's command
_FAILURES = "app.cli.errors"
_COMPLETION = "_STRONGROOM_COMPLETE"  # a shell sets it to the kind of answer that it wants


class _Commands(LazyGroup):
    """The command itself: every failure ends with a message and an exit code."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.table.get(cmd_name)
        if found is not None and not found.is_client:
            import_module(_FAILURES)  # now: no file may be free when a command fails
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with usage_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with usage_errors():
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(128 + signal.SIGINT)
        except BrokenPipeError:
            forget_output()
            ctx.exit(128 + signal.SIGPIPE)
        except Exception as error:  # noqa: BLE001 - a traceback could show values
            ctx.exit(import_module(_FAILURES).report(error))


class _Verbatim(click.Command):
    """Passes its arguments on, unparsed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []


@click.group(
    cls=_Commands, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="strongroom", message="%(prog)s %(version)s")
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
    if not _PASS_SIGNALS & set(sys.argv[1:2]):
        keep_standard_streams()
        _print_every_name()
        _close_when_told_to_end()
    if os.environ.get(_COMPLETION, "").endswith("_complete"):
        with import_module("app.client.completion").silent():
            strongroom.main(prog_name="strongroom", obj=os.environ)
    else:
        strongroom.main(prog_name="strongroom", obj=os.environ)


if __name__ == "__main__":
    main()
