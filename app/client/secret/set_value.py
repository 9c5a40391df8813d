"""``strongroom secret set``: create a secret, or replace its value."""

from pathlib import Path

import click

from app.client.api import Account, Server
from app.client.command_line import WritingCommand, server_options, show_note
from app.client.completion import secret_names
from app.client.redeem import Refused
from app.client.secret.names import faults_of_one_name
from app.client.secret.value_input import is_typed, read_value, value_faults

_HELP = """Create or replace a secret.

The value is typed at the terminal, unseen and twice. Without a terminal it is standard input,
byte for byte. It never stands on the command line.
"""


@click.command("set", cls=WritingCommand, help=_HELP)
@click.argument("names", nargs=-1, metavar="NAME", shell_complete=secret_names)
@click.option("--file", type=click.Path(path_type=Path), help="Read the value from this file.")
@click.option("--new", is_flag=True, help="Refuse a name that exists.")
@click.option("--allow-empty", is_flag=True, help="Permit an empty value.")
@server_options
@click.pass_context
def set_value(
    context: click.Context,
    /,
    names: tuple[str, ...],
    file: Path | None,
    timeout: float,
    *,
    new: bool,
    allow_empty: bool,
    allow_http: bool,
) -> None:
    """Store the value, and report on standard error if the secret was created or replaced."""
    server = Server(context.obj)
    name_faults = faults_of_one_name(names)
    faults = [*name_faults, *server.faults(allow_http=allow_http)]
    raw = b""
    if file or not (name_faults or (faults and is_typed(file))):
        try:
            raw = read_value(names[0] if names else "", file)
        except Refused as refused:
            faults += refused.faults
        else:
            faults += value_faults(raw, allow_empty=allow_empty)
    if faults:
        raise Refused(*faults)
    _store(context, server.account(timeout), names[0], raw.decode(), new=new)


def _store(context: click.Context, account: Account, name: str, value: str, *, new: bool) -> None:
    if new:
        account.create(name, value)
    created = new or account.put(name, value)
    show_note(context, f"{name}: {'created' if created else 'replaced'}")
    if value.count("\n") == 1 and value.endswith("\n"):
        show_note(context, f"{name}: the value ends with a line end, which is part of it")
