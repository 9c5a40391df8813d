"""``strongroom db``: the database's schema, and its move to another one."""

from collections.abc import Mapping

import click

from app.cli.commands.db_copy import copy
from app.cli.deployment import deployment
from app.client.summaries import SummaryGroup


@click.group(cls=SummaryGroup)
def db() -> None:
    """The database."""


@db.command()
@click.pass_obj
def upgrade(environ: Mapping[str, str]) -> None:
    """Migrate the schema to the newest version, after a backup if the database holds data."""
    with deployment(environ) as services:
        backup = services.setup.upgrade()
    if backup is not None:
        click.echo(f"A backup was made first: {backup}")


db.add_command(copy)
