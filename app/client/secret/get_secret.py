"""``strongroom secret get``: name, id and times of one secret."""

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options
from app.client.completion import secret_names
from app.client.output import as_json, moment, show
from app.client.redeem import Refused
from app.client.secret.names import faults_of, faults_of_names, refuse_values


@click.command("get", cls=ClientCommand)
@click.argument("name", shell_complete=secret_names)
@as_json
@server_options
@click.pass_context
def get_secret(
    context: click.Context, /, name: str, timeout: float, *, json: bool, allow_http: bool
) -> None:
    """Show when a secret was created and updated.

    NAME is its name or its id. The value is not shown: `export` and `run` get values.
    """
    server = Server(context.obj)
    if faults := [*faults_of_names([name]), *server.faults(allow_http=allow_http)]:
        raise Refused(*faults)
    account = server.account(timeout)
    refuse_values([name], account)
    try:
        found = account.get(name)
    except Refused as refused:
        raise Refused(*faults_of(name, refused)) from None
    lines = (
        f"name:    {found.name}",
        f"id:      {found.id}",
        f"created: {moment(found.create_time_ms)}",
        f"updated: {moment(found.update_time_ms)}",
    )
    show(found._asdict(), "\n".join(lines), json=json)
