"""``strongroom secret delete``: delete secrets for good."""

import os
from collections.abc import Sequence

import click

from app.client.api import Server
from app.client.command_line import INCOMPLETE, WritingCommand, server_options, show_note
from app.client.completion import secret_names
from app.client.redeem import UNAVAILABLE, Fault, Refused
from app.client.secret.names import faults_of, faults_of_names, refuse_values
from app.client.secret.prompts import confirm

_SHOWN_NAMES = 10
_STANDARD_INPUT = 0


@click.command("delete", cls=WritingCommand)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=secret_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_options
@click.pass_context
def delete_secrets(
    context: click.Context,
    /,
    names: tuple[str, ...],
    timeout: float,
    *,
    yes: bool,
    allow_http: bool,
) -> None:
    """Delete secrets for good.

    NAME is a name or an id. What still refers to the secret gets an error from then on.
    """
    server = Server(context.obj)
    faults = [*faults_of_names(names), *server.faults(allow_http=allow_http)]
    is_asked = not yes and os.isatty(_STANDARD_INPUT)
    if not (yes or is_asked):
        faults.append(Fault("without a terminal nobody can be asked (--yes deletes)."))
    if faults:
        raise Refused(*faults)
    refuse_values(names, server.account(timeout))
    wanted = list(dict.fromkeys(names))
    if is_asked and not confirm(_question(wanted)):
        raise Refused(Fault("you said no."))
    _delete(context, server, wanted, timeout)


def _question(names: Sequence[str]) -> str:
    shown, rest = names[:_SHOWN_NAMES], len(names) - _SHOWN_NAMES
    more = f" and {rest} more" if rest > 0 else ""
    return f"Delete {', '.join(shown)}{more}? The values cannot be restored."


def _delete(context: click.Context, server: Server, names: Sequence[str], timeout: float) -> None:
    """Delete each, and go on after a refusal. Once the server is away, the rest is not tried."""
    faults: list[Fault] = []
    done = 0
    for tried, name in enumerate(names, 1):
        try:
            server.account(timeout).delete(name)
        except Refused as refused:
            faults += faults_of(name, refused)
            if refused.code == UNAVAILABLE:
                rest = [*names[tried:]]
                faults += [Fault(f"{name}: not tried.", UNAVAILABLE) for name in rest]
                break
        else:
            done += 1
            show_note(context, f"{name}: deleted")
    if faults and done:
        reasons = Refused(*faults).reasons
        show_note(context, f"{done} of {len(names)} were deleted, not:{reasons}")
        context.exit(INCOMPLETE)
    if faults:
        raise Refused(*faults)
