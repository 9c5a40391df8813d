"""``strongroom account``: the tenants of this deployment."""

from collections.abc import Mapping
from contextlib import closing

import click

from app.bootstrap import build
from app.cli.output import Row, as_json, show_json
from app.cli.stored_rows import show_stored
from app.domain.access.accounts import Account
from config import load

_DEVBOX = "Whether the account's keys may use secrets; without it the API answers 403."


@click.group()
def account() -> None:
    """Accounts: each owns secrets and API keys of its own."""


@account.command()
@click.argument("name")
@click.option("--devbox/--no-devbox", default=True, help=_DEVBOX)
@as_json
@click.pass_obj
def create(environ: Mapping[str, str], name: str, *, devbox: bool, json: bool) -> None:
    """Make an account, and print its id."""
    with closing(build(load(environ))) as services:
        made = services.accounts.create(name, devbox=devbox)
    if json:
        show_json(_row(made))
    else:
        click.echo(made.id)


@account.command("set")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--devbox/--no-devbox", required=True, help=_DEVBOX)
@click.pass_obj
def set_(environ: Mapping[str, str], account_id: str, *, devbox: bool) -> None:
    """Give or take the devbox capability; in force from the next request on."""
    with closing(build(load(environ))) as services:
        services.accounts.set_devbox(account_id, devbox=devbox)


@account.command("list")
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], *, json: bool) -> None:
    """Every account, oldest first."""
    with closing(build(load(environ))) as services:
        show_stored(
            services.accounts.list(), _row, ("id", "devbox", "created_at_ms", "name"), json=json
        )


def _row(shown: Account) -> Row:
    return {
        "id": shown.id,
        "name": shown.name,
        "devbox": shown.devbox,
        "created_at_ms": shown.created_at_ms,
    }
