"""``strongroom db``: the database's schema."""

from collections.abc import Mapping
from contextlib import closing

import click

from app.bootstrap import build
from app.client.summaries import SummaryGroup
from config import load


@click.group(cls=SummaryGroup)
def db() -> None:
    """The database."""


@db.command()
@click.pass_obj
def upgrade(environ: Mapping[str, str]) -> None:
    """Migrate the schema to the newest version, after a backup if the database holds data."""
    with closing(build(load(environ))) as services:
        backup = services.setup.upgrade()
    if backup is not None:
        click.echo(f"A backup was made first: {backup}")
