"""``strongroom account``: the accounts of this deployment."""

from collections.abc import Mapping
from dataclasses import asdict

import click

from app.cli.completion import account_names
from app.cli.deployment import deployment
from app.cli.stored_rows import show_stored
from app.client.output import as_json, show
from app.client.summaries import SummaryGroup

_COLUMNS = ("id", "devbox", "created_at_ms", "name")
_DEVBOX = "Let the account's API keys use secrets; without it the API responds with 403."


@click.group(cls=SummaryGroup)
def account() -> None:
    """Accounts: each owns secrets and API keys of its own."""


@account.command()
@click.argument("name")
@click.option("--devbox/--no-devbox", default=True, help=_DEVBOX)
@as_json
@click.pass_obj
def create(environ: Mapping[str, str], name: str, *, devbox: bool, json: bool) -> None:
    """Make an account, and print its id. No two accounts have the same NAME."""
    with deployment(environ) as services:
        created = services.accounts.create(name, devbox=devbox)
    show(asdict(created), created.id, json=json)


@account.command("set")
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.option("--devbox/--no-devbox", required=True, help=_DEVBOX)
@click.pass_obj
def set_(environ: Mapping[str, str], account: str, *, devbox: bool) -> None:
    """Grant or withdraw the devbox capability, from the next request on.

    ACCOUNT is an id or a name.
    """
    with deployment(environ) as services:
        services.accounts.set_devbox(account, devbox=devbox)


@account.command("list")
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], *, json: bool) -> None:
    """List every account, oldest first."""
    with deployment(environ) as services:
        show_stored(services.accounts.list(), asdict, _COLUMNS, json=json)
