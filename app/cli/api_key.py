"""``strongroom api-key``: the API keys of an account."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress

import click

from app.bootstrap import build
from app.cli.lifetime import LIFETIME
from app.cli.output import Row, as_json, show_json
from app.cli.stored_rows import show_stored
from app.domain.api_keys import ApiKey
from app.domain.errors import TamperedRow
from app.domain.scopes import ALL_SCOPES, Scope
from app.services.clock import now_ms
from config import load


@click.group("api-key")
def api_key() -> None:
    """API keys: what clients authenticate with."""


@api_key.command()
@click.argument("account")
@click.option("--name", default="API key", show_default=True, help="For people.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key may do; may be given several times.  [default: everything]",
)
@click.option("--expires", type=LIFETIME, help="After this the key is refused, for example 90d.")
@as_json
@click.pass_obj
def create(
    environ: Mapping[str, str],
    account: str,
    name: str,
    scopes: Sequence[str],
    expires: int | None,
    *,
    json: bool,
) -> None:
    """Make an API key of ACCOUNT, and print it; it cannot be shown again."""
    with closing(build(load(environ))) as services:
        services.accounts.require(account)
        issued = services.api_keys.issue(
            account,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or ALL_SCOPES,
            expires_at_ms=None if expires is None else now_ms() + expires,
        )
    token = issued.token.reveal()
    if json:
        show_json({"id": issued.id, "key_secret": token, "expires_at_ms": issued.expires_at_ms})
    else:
        click.echo(token)


@api_key.command("list")
@click.argument("account")
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], account: str, *, json: bool) -> None:
    """The API keys of ACCOUNT, oldest first."""
    with closing(build(load(environ))) as services:
        with suppress(TamperedRow):  # its API keys are still shown
            services.accounts.require(account)
        columns = ("id", "state", "created_at_ms", "expires_at_ms", "scopes", "name")
        show_stored(services.api_keys.list(account), _row, columns, json=json)


@api_key.command()
@click.argument("account")
@click.argument("api_key_id", metavar="API_KEY")
@click.pass_obj
def revoke(environ: Mapping[str, str], account: str, api_key_id: str) -> None:
    """Refuse the API key of this id from the next request on."""
    with closing(build(load(environ))) as services:
        services.api_keys.revoke(account, api_key_id)


def _row(shown: ApiKey) -> Row:
    return {
        "id": shown.id,
        "name": shown.name,
        "state": _state(shown),
        "scopes": " ".join(sorted(shown.scopes)),
        "created_at_ms": shown.created_at_ms,
        "expires_at_ms": shown.expires_at_ms,
        "revoked_at_ms": shown.revoked_at_ms,
    }


def _state(shown: ApiKey) -> str:
    if shown.revoked_at_ms is not None:
        return "revoked"
    return "live" if shown.is_live(now_ms()) else "expired"
