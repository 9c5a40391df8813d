"""``strongroom token``: an injection for another process, which gets its token and nothing else."""

from functools import partial
from pathlib import Path

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options, show_note
from app.client.redeem import Allowed, Fault, countdown
from app.client.selection import Choice, choice_options, choose, gateway_option, token_of
from app.client.time_span import TimeSpan

_SECOND_MS, _DAY_MS = 1000, 86_400_000
_HELP = """Print the token of a new injection.

Another process redeems it, once, for the current values: with `strongroom redeem`, and without
an API key.
"""


@click.command("token", cls=ClientCommand, help=_HELP)
@choice_options
@gateway_option
@click.option(
    "--ttl",
    type=TimeSpan("smhd"),
    metavar="60s",
    default="5m",
    show_default=True,
    help="The lifetime of the token; a day at most.",
)
@server_options
@click.pass_context
def issue_token(
    context: click.Context,
    /,
    entries: tuple[str, ...],
    files: tuple[Path, ...],
    allowed: tuple[str, ...],
    gateways: tuple[str, ...],
    ttl: int,
    timeout: float,
    *,
    everything: bool,
    allow_http: bool,
) -> None:
    """Print the token alone."""
    server, remaining = Server(context.obj), countdown(timeout)
    faults = server.faults(allow_http=allow_http)
    if not _SECOND_MS <= ttl <= _DAY_MS:
        faults.append(Fault("--ttl must be from 1s to 1d."))
    chosen = choose(
        Choice(entries, files, everything, gateways=gateways),
        server,
        remaining,
        faults,
        inherited=(),
        allowed=Allowed(allowed, override=False),
    )
    chosen.left_out.show(partial(show_note, context))
    click.echo(token_of(chosen, server, remaining, ttl // _SECOND_MS))
