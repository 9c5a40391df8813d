"""``strongroom secret history`` and ``rollback``: the versions of a secret, and a way back."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.client.api import Account, Server, Version
from app.client.command_line import ClientCommand, WritingCommand, server_options, show_note
from app.client.completion import secret_names
from app.client.output import as_json, show_json, show_rows
from app.client.redeem import SERVER_REFUSED, Fault, Refused
from app.client.secret.names import faults_of, faults_of_names, refuse_values

_name = click.argument("name", shell_complete=secret_names)


@click.command("history", cls=ClientCommand)
@_name
@as_json
@server_options
@click.pass_context
def history(
    context: click.Context, /, name: str, timeout: float, *, json: bool, allow_http: bool
) -> None:
    """List the versions of a secret.

    NAME is its name or its id. The current version comes first. Values are never shown.
    """
    account = _account(context, name, timeout, allow_http=allow_http)
    with _faults_of(name):
        found = account.versions(name)
    if json:
        show_json([each._asdict() for each in found])
    else:
        rows = [
            {
                "version": each.version,
                "set_at_ms": each.create_time_ms,
                "set_by": each.created_by,
                "current": each.is_current,
            }
            for each in found
        ]
        show_rows(rows, ("version", "set_at_ms", "set_by", "current"), json=False)


@click.command("rollback", cls=WritingCommand)
@_name
@click.option(
    "--to",
    type=click.IntRange(1),
    metavar="N",
    help="The version to go back to; the one before the current one without this.",
)
@server_options
@click.pass_context
def rollback(
    context: click.Context, /, name: str, to: int | None, timeout: float, *, allow_http: bool
) -> None:
    """Make an old value the current one.

    NAME is the name or the id of the secret. The value becomes a new version. What injects the
    secret from then on gets the old value.
    """
    account = _account(context, name, timeout, allow_http=allow_http)
    with _faults_of(name):
        version = to or _newest_old(account.versions(name))
        current = account.roll_back(name, version)
    show_note(context, f"{name}: rolled back to version {version}, which is now version {current}")


def _account(context: click.Context, name: str, timeout: float, *, allow_http: bool) -> Account:
    server = Server(context.obj)
    if faults := [*faults_of_names([name]), *server.faults(allow_http=allow_http)]:
        raise Refused(*faults)
    account = server.account(timeout)
    refuse_values([name], account)
    return account


def _newest_old(versions: list[Version]) -> int:
    for each in versions:
        if not each.is_current:
            return each.version
    raise Refused(Fault("the server has no old value of it.", SERVER_REFUSED))


@contextmanager
def _faults_of(name: str) -> Iterator[None]:
    """Put the secret's name before each fault."""
    try:
        yield
    except Refused as refused:
        raise Refused(*faults_of(name, refused)) from None
