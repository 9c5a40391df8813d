"""``strongroom check``: all that would keep the server from serving, at once."""

from collections.abc import Mapping

import click

from app.bootstrap import diagnose
from app.cli.errors import REFUSED, say
from app.cli.output import as_json, show_json
from config import SettingsError, load


@click.command()
@as_json
@click.pass_context
def check(context: click.Context, *, json: bool) -> None:
    """Look at every setting, provider, migration and the system key; exit 1 on any fault."""
    faults = _faults(context.obj)
    if json:
        show_json({"ok": not faults, "faults": faults})
    for fault in faults:
        say(fault)
    context.exit(REFUSED if faults else 0)


def _faults(environ: Mapping[str, str]) -> list[str]:
    try:
        settings = load(environ)
    except SettingsError as error:
        return list(error.faults)
    return diagnose(settings)
