"""``strongroom run``: start a command with secrets in its environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.client.api import Server
from app.client.command_line import ClientCommand
from app.client.redeem import (
    MAX_TIMEOUT_SECONDS,
    UNAVAILABLE,
    Allowed,
    Fault,
    Refused,
    command_faults,
    countdown,
    execute,
    hide,
    inherited_environment,
    name_faults,
    prepare,
    redeem,
)
from app.client.selection import Selection
from app.client.terminal.start import run_masked
from app.masking.forms import is_long_enough

_MAX_SECRETS = 256  # of one injection
_TOKEN_SECONDS = 60  # enough, since we redeem it at once


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
_ENTRY_HELP = "A variable and the secret for it; NAME alone for both. Repeatable."
_FILE_HELP = "A file of such entries, one per line; # begins a comment. Repeatable."
_ALLOWED_HELP = "Permit a variable that controls other programs. Repeatable."


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--secret", "entries", multiple=True, metavar="ENV=NAME", help=_ENTRY_HELP)
@click.option("--from", "files", multiple=True, type=click.Path(path_type=Path), help=_FILE_HELP)
@click.option("--all", "everything", is_flag=True, help="Every secret, in a variable of its name.")
@click.option("--mask", is_flag=True, help="Replace the values in what the command prints.")
@click.option("--allow-name", "allowed", multiple=True, metavar="ENV", help=_ALLOWED_HELP)
@click.option("--override", is_flag=True, help="Replace variables that are already set.")
@click.option("--allow-http", is_flag=True, help="Permit a server without TLS.")
@click.option("--timeout", default=MAX_TIMEOUT_SECONDS, help="Seconds to try to reach the server.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, see _Options
    """Run the command, and end with the exit code."""
    context.exit(_run(_Options(**options), context.obj))


def _run(options: _Options, environ: Mapping[str, str]) -> int:
    server, remaining = Server(environ), countdown(options.timeout)
    inherited = inherited_environment(environ)
    allowed = Allowed(options.allowed, options.override)
    names = _chosen_names(options, server, remaining, inherited, allowed)
    values = _values(server, names, remaining)
    environment = prepare(options.command, inherited, values, allowed)
    if not options.mask:
        execute(options.command, environment)
    for name, value in values.items():
        if not is_long_enough(value):
            click.echo(f"strongroom run: {hide(name)} is too short to be masked", err=True)
    return run_masked(options.command, environment, values.values())


def _chosen_names(
    options: _Options,
    server: Server,
    remaining: Callable[[], float],
    inherited: Mapping[str, str],
    allowed: Allowed,
) -> dict[str, str]:
    """Return the secret's name for each variable, after every check that needs no value."""
    selection = Selection(remaining)
    for entry in options.entries:
        selection.add_option(entry)
    for file in options.files:
        selection.add_file(file)
    faults = [
        *selection.faults,
        *server.faults(allow_http=options.allow_http),
        *command_faults(options.command, inherited),
    ]
    if options.everything and not faults:
        found = server.account(remaining()).secrets(_MAX_SECRETS)
        selection.add_all(each.name for each in found)
    faults += name_faults(selection.names, inherited, allowed)
    if len(selection.names) > _MAX_SECRETS:
        faults.append(Fault(f"more than {_MAX_SECRETS} secrets are chosen."))
    if not selection.names and not faults:
        faults.append(Fault("no secret is chosen (--secret, --from or --all)."))
    if faults:
        raise Refused(*faults)
    return selection.names


def _values(
    server: Server, names: Mapping[str, str], remaining: Callable[[], float]
) -> dict[str, str]:
    """Return the values by variable, through an injection that is made and redeemed here."""
    token = server.account(remaining()).create_injection(names, _TOKEN_SECONDS)
    values = redeem(server.injection(token, remaining()))
    if values.keys() != names.keys():
        raise Refused(Fault("the server returned other variables than requested.", UNAVAILABLE))
    return values
