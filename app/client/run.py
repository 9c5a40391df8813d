"""``strongroom run``: start a command with secrets in its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options
from app.client.redeem import (
    Allowed,
    command_faults,
    countdown,
    execute,
    hide,
    inherited_environment,
    memory_file_faults,
    prepare,
)
from app.client.selection import Choice, choice_options, choose, leave_out_oversized, values_of
from app.client.terminal.start import run_masked
from app.masking.forms import is_long_enough


@dataclass(frozen=True, kw_only=True)
class _Options:
    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
    in_files: tuple[str, ...]
    mask: bool
    allowed: tuple[str, ...]
    override: bool
    allow_http: bool
    timeout: float
    command: tuple[str, ...]


class _Command(ClientCommand):
    outcome = "nothing was started"


_HELP = """Start a command with secrets in its environment.

RUNLOOP_BASE_URL names the server; RUNLOOP_API_KEY is the account's key, which the command does
not inherit. Without --mask the command replaces this process.

\b
The exit code is the command's own, unless nothing was started:
  123   the server refused: do not retry
  124   no usable response from the server in time: you may retry
  125   refused here: options, settings, names, sizes
  126   the command cannot be executed
  127   the command does not exist
  130   interrupted with Ctrl-C
"""
_FILE_HELP = "The secret in a file in memory, whose path is in the variable. Repeatable."


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@choice_options
@click.option("--file", "in_files", multiple=True, metavar="ENV=NAME", help=_FILE_HELP)
@click.option("--mask", is_flag=True, help="Replace the values in what the command prints.")
@click.option("--override", is_flag=True, help="Replace variables that are already set.")
@server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, see _Options
    """Run the command, and end with the exit code."""
    context.exit(_run(_Options(**options), context.obj))


def _run(options: _Options, environ: Mapping[str, str]) -> int:
    server, remaining = Server(environ), countdown(options.timeout)
    inherited = inherited_environment(environ)
    allowed = Allowed(options.allowed, options.override)
    faults = [
        *server.faults(allow_http=options.allow_http),
        *command_faults(options.command, inherited),
        *(memory_file_faults() if options.in_files else []),
    ]
    choice = Choice(options.entries, options.files, options.everything, options.in_files)
    chosen = choose(choice, server, remaining, faults, inherited, allowed)
    values = values_of(chosen, server, remaining)
    values = leave_out_oversized(chosen, values, options.command, inherited)
    environment = prepare(options.command, inherited, values, allowed, chosen.in_files)
    chosen.left_out.show(_say)
    if not options.mask:
        execute(options.command, environment)
    for name, value in values.items():
        if not is_long_enough(value):
            _say(f"{name} is too short to be masked")
    return run_masked(options.command, environment, values.values())


def _say(text: str) -> None:
    click.echo(f"strongroom run: {hide(text)}", err=True)
