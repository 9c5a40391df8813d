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
    prepare,
)
from app.client.selection import Choice, choice_options, chosen_names
from app.client.terminal.start import run_masked
from app.masking.forms import is_long_enough


@dataclass(frozen=True, kw_only=True)
class _Options:
    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
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


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@choice_options
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
    ]
    choice = Choice(options.entries, options.files, options.everything)
    names = chosen_names(choice, server, remaining, faults, inherited, allowed)
    values = server.values(names, remaining)
    environment = prepare(options.command, inherited, values, allowed)
    if not options.mask:
        execute(options.command, environment)
    for name, value in values.items():
        if not is_long_enough(value):
            click.echo(f"strongroom run: {hide(name)} is too short to be masked", err=True)
    return run_masked(options.command, environment, values.values())
