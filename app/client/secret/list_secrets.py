"""``strongroom secret list``: names and times of all secrets."""

import sys
import time

import click

from app.client.api import Secret, Server
from app.client.command_line import ClientCommand, server_options, show_note
from app.client.output import as_json, show_rows
from app.client.redeem import Fault, Refused
from app.client.time_span import TimeSpan

_MAX_SECRETS = 200_000


@click.command("list", cls=ClientCommand)
@click.option("--search", metavar="TEXT", help="Only names that contain this, in either case.")
@click.option(
    "--older", type=TimeSpan("mhdw"), metavar="90d", help="Only values set longer ago than this."
)
@as_json
@server_options
@click.pass_context
def list_secrets(
    context: click.Context,
    /,
    search: str | None,
    older: int | None,
    timeout: float,
    *,
    json: bool,
    allow_http: bool,
) -> None:
    """List secrets.

    A terminal shows a table; a pipe gets one name a line. Values are never shown.
    """
    server = Server(context.obj)
    if faults := server.faults(allow_http=allow_http):
        raise Refused(*faults)
    found = server.account(timeout).secrets(_MAX_SECRETS)
    if len(found) > _MAX_SECRETS:
        raise Refused(Fault(f"the server lists more than {_MAX_SECRETS} secrets."))
    oldest_kept = time.time_ns() // 1_000_000 - (older or 0)
    chosen = [
        each
        for each in found
        if (search or "").casefold() in each.name.casefold()
        and (older is None or each.update_time_ms < oldest_kept)
    ]
    if not chosen and sys.stdout.isatty() and not json:
        show_note(context, "no secret matches" if found else "there are no secrets")
    else:
        _show(sorted(chosen, key=lambda each: each.name), json=json)


def _show(found: list[Secret], *, json: bool) -> None:
    if json:
        show_rows((each._asdict() for each in found), (), json=True)
    elif sys.stdout.isatty():
        rows = [
            {
                "name": each.name,
                "updated_at_ms": each.update_time_ms,
                "id": each.id,
            }
            for each in found
        ]
        show_rows(rows, ("name", "updated_at_ms", "id"), json=False)
    else:
        for each in found:
            click.echo(each.name)
