"""``strongroom account``: the accounts of this deployment."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import click

from app.cli.completion import account_names
from app.cli.deployment import deployment
from app.cli.stored_rows import show_stored
from app.client.output import as_json, show
from app.client.summaries import SummaryGroup
from app.services.account_deletion import Receipt

_COLUMNS = ("id", "devbox", "created_at_ms", "name")
_DEVBOX = "Let the account's API keys use secrets; without it the API responds with 403."

_AFTERWARDS = (
    "No row and no wrapping of a data key of it is left in this database.",
    "Audit records of it stay until their retention ends; they hold no name and no value.",
    "Backups and replicas of before open with the root key until you delete them.",
)
"""The end of a receipt: what it promises, and what it does not."""


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


@account.command()
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.option("--confirm", metavar="NAME", help="The account's name, where nobody can type it.")
@as_json
@click.pass_obj
def delete(environ: Mapping[str, str], account: str, *, confirm: str | None, json: bool) -> None:
    """Delete ACCOUNT and everything that belongs to it, for good, and print a receipt.

    ACCOUNT is an id or a name. Its audit records stay until their retention ends. If the command is
    interrupted, run it again.
    """
    with deployment(environ) as services:
        found = services.accounts.require(account)
        _require_confirmation(found.name, confirm)
        receipt = services.account_deletion.delete(found)
    show(asdict(receipt), _receipt_text(receipt), json=json)


def _require_confirmation(name: str, confirm: str | None) -> None:
    if confirm is None and sys.stdin.isatty():
        confirm = click.prompt("Type the name of the account to delete it", err=True)
    if confirm != name:
        raise click.UsageError("--confirm must be the name of the account; nothing was deleted.")


def _receipt_text(receipt: Receipt) -> str:
    when = datetime.fromtimestamp(receipt.deleted_at_ms / 1000, UTC).isoformat(timespec="seconds")
    lines = [f"{receipt.account_id} was deleted at {when}."]
    lines += [f"{table}: {count} rows deleted" for table, count in sorted(receipt.rows.items())]
    return "\n".join([*lines, *_AFTERWARDS])


@account.command("list")
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], *, json: bool) -> None:
    """List every account, oldest first."""
    with deployment(environ) as services:
        show_stored(services.accounts.list(), asdict, _COLUMNS, json=json)
