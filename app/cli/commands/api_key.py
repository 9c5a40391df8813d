"""``strongroom api-key``: the API keys of an account."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import click

from app.cli.completion import account_names
from app.cli.deployment import deployment
from app.cli.stored_rows import show_stored
from app.client.messages import say
from app.client.output import Row, as_json, moment, show
from app.client.summaries import SummaryGroup
from app.client.time_span import TimeSpan
from app.domain.access.api_keys import ApiKey, IssuedApiKey
from app.domain.access.key_lives import KeyLives, KeyState
from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.services.clock import now_ms

_COLUMNS = (
    "id",
    "state",
    "created_at_ms",
    "expires_at_ms",
    "old_token_ends_at_ms",
    "scopes",
    "secrets",
    "name",
)
_INDENT = "  "
_LIFETIME = TimeSpan("mhd")


@click.group("api-key", cls=SummaryGroup)
def api_key() -> None:
    """API keys, with which clients authenticate.

    ACCOUNT is an account's id or name.
    """


@api_key.command()
@click.argument("account", shell_complete=account_names)
@click.option("--name", default="API key", show_default=True, help="Shown in lists.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="Permit this to the key. Repeatable.  [default: everything]",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME",
    help="Let the key inject only these secrets, by name or as PREFIX*. Repeatable; needs --scope "
    "secrets:inject and gateways:use alone.  [default: all]",
)
@click.option("--expires", type=_LIFETIME, help="Refuse the key after this, for example 90d.")
@as_json
@click.pass_obj
def create(
    environ: Mapping[str, str],
    account: str,
    name: str,
    scopes: Sequence[str],
    secrets: Sequence[str],
    expires: int | None,
    *,
    json: bool,
) -> None:
    """Make an API key of ACCOUNT, and print it. It cannot be shown again."""
    with deployment(environ) as services:
        issued = services.api_keys.issue(
            services.accounts.require(account).id,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or ALL_SCOPES,
            expires_at_ms=None if expires is None else now_ms() + expires,
            names=NameLimit.of(secrets) if secrets else None,
        )
    show(_issued(issued), issued.token.reveal(), json=json)


@api_key.command("list")
@click.argument("account", shell_complete=account_names)
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], account: str, *, json: bool) -> None:
    """List the API keys of ACCOUNT: oldest first, and below each those that were made with it."""
    with deployment(environ) as services:
        account_id = services.accounts.id_of(account)
        with suppress(TamperedRow):  # the account is damaged; its API keys are still shown
            services.accounts.require(account_id)
        stored = list(services.api_keys.list(account_id))
    now = now_ms()
    lives = KeyLives((each for each in stored if isinstance(each, ApiKey)), now)
    damaged = [each for each in stored if isinstance(each, DamagedRow)]

    def row_of(key: ApiKey) -> Row:
        row = _row(key, lives.state(key), now)
        return row if json else {**row, "id": _INDENT * len(key.issuers) + key.id}

    shown: list[ApiKey | DamagedRow] = [*lives.in_order(), *damaged]
    show_stored(shown, row_of, _COLUMNS, json=json)


@api_key.command()
@click.argument("account", shell_complete=account_names)
@click.argument("api_key_id", metavar="API_KEY")
@click.option("--dry-run", is_flag=True, help="Only count what would be revoked.")
@as_json
@click.pass_obj
def revoke(
    environ: Mapping[str, str], account: str, api_key_id: str, *, dry_run: bool, json: bool
) -> None:
    """Revoke an API key, and all that were made with it, from the next request on."""
    with deployment(environ) as services:
        account_id = services.accounts.id_of(account)
        revocation = services.api_keys.revoke(account_id, api_key_id, dry_run=dry_run)
    counts = {
        "api_keys": revocation.api_keys,
        "injections": revocation.injections,
        "gateway_tokens": revocation.gateway_tokens,
    }
    keys, injections, tokens = counts.values()
    verb = "would be revoked" if dry_run else "revoked"
    show(
        {"id": api_key_id, **counts},
        f"API keys {verb} with it: {keys}. Pending injections: {injections}. "
        f"Gateway tokens: {tokens}.",
        json=json,
    )


@api_key.command()
@click.argument("account", shell_complete=account_names)
@click.argument("api_key_id", metavar="API_KEY")
@click.option(
    "--overlap",
    type=_LIFETIME,
    default="1h",
    show_default=True,
    help="Accept the old token this long; an hour at most, 0m for not at all.",
)
@as_json
@click.pass_obj
def rotate(
    environ: Mapping[str, str], account: str, api_key_id: str, overlap: int, *, json: bool
) -> None:
    """Replace the token of an API key, and print the new one. It cannot be shown again.

    The API keys that were made with it stay valid.
    """
    with deployment(environ) as services:
        account_id = services.accounts.id_of(account)
        rotated = services.api_keys.rotate(account_id, api_key_id, overlap_ms=overlap)
    until = rotated.previous_until_ms
    document = {**_issued(rotated.issued), "old_token_ends_at_ms": until}
    show(document, rotated.issued.token.reveal(), json=json)
    if not json:
        end = "refused from now on" if until is None else f"valid until {moment(until)}"
        say(f"the old token is {end}")


def _issued(issued: IssuedApiKey) -> Row:
    return {
        "id": issued.id,
        "key_secret": issued.token.reveal(),
        "expires_at_ms": issued.expires_at_ms,
    }


def _row(key: ApiKey, state: KeyState, now_ms: int) -> Row:
    return {
        "id": key.id,
        "name": key.name,
        "state": state.value,
        "scopes": " ".join(sorted(key.scopes)),
        "secrets": None if key.names is None else key.names.to_text(),
        "issuers": list(key.issuers),
        "created_at_ms": key.created_at_ms,
        "expires_at_ms": key.expires_at_ms,
        "revoked_at_ms": key.revoked_at_ms,
        "old_token_ends_at_ms": key.previous_until_ms if key.takes_previous(now_ms) else None,
    }
