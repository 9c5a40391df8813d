"""``strongroom gateway-token list``: gateway tokens, without their secret parts."""

import sys

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options, show_note
from app.client.gateway_token.calls import ListedToken, gateway_tokens
from app.client.output import Row, as_json, show_rows
from app.client.redeem import Fault, Refused

_MAX_TOKENS = 100_000
_COLUMNS = ("id", "status", "box", "secret", "config", "expires_at_ms")


@click.command("list", cls=ClientCommand)
@click.option("--box", metavar="ID", help="Only the tokens of this box.")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@as_json
@server_options
@click.pass_context
def list_tokens(
    context: click.Context,
    /,
    box: str | None,
    timeout: float,
    *,
    everything: bool,
    json: bool,
    allow_http: bool,
) -> None:
    """List live gateway tokens, newest first. The tokens themselves are never shown."""
    server = Server(context.obj)
    if faults := server.faults(allow_http=allow_http):
        raise Refused(*faults)
    found = gateway_tokens(server.account(timeout), box, _MAX_TOKENS)
    if len(found) > _MAX_TOKENS:
        raise Refused(Fault(f"the server lists more than {_MAX_TOKENS} gateway tokens."))
    shown = [each for each in found if everything or each.status in {"live", "damaged"}]
    if not shown and sys.stdout.isatty() and not json:
        show_note(context, "there are no live gateway tokens")
    else:
        show_rows(map(_row, shown), _COLUMNS, json=json)


def _row(token: ListedToken) -> Row:
    return {
        "id": token.id,
        "status": token.status,
        "box": token.devbox_id,
        "secret": token.secret,
        "config": token.gateway_config_id,
        "expires_at_ms": token.expires_at_ms,
    }
