"""``strongroom gateway-token revoke``: gateway tokens are refused from the next request on."""

import click

from app.client.api import Server
from app.client.command_line import WritingCommand, server_options, show_note
from app.client.gateway_token.calls import is_token_id, revoke_box, revoke_token
from app.client.redeem import Fault, Refused


@click.command("revoke", cls=WritingCommand)
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--box", metavar="ID", help="All tokens of this box.")
@server_options
@click.pass_context
def revoke_tokens(
    context: click.Context,
    /,
    ids: tuple[str, ...],
    box: str | None,
    timeout: float,
    *,
    allow_http: bool,
) -> None:
    """Revoke gateway tokens by their ids, or all of a box.

    What they have open through the gateway ends within 30 seconds.
    """
    server = Server(context.obj)
    faults = server.faults(allow_http=allow_http)
    if bool(ids) == (box is not None):
        faults.append(Fault("name either the ids of tokens or a --box."))
    if not all(map(is_token_id, ids)):
        faults.append(Fault("an ID begins with gwt_; the token itself (gws_) is not one."))
    if faults:
        raise Refused(*faults)
    if box is not None:
        number = revoke_box(server.account(timeout), box)
        show_note(context, f"{number} gateway tokens revoked")
        return
    for token_id in dict.fromkeys(ids):
        token = revoke_token(server.account(timeout), token_id)
        show_note(context, f"{token.id}: revoked")
