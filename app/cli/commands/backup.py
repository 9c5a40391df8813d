"""``strongroom backup`` and ``strongroom restore``: the whole database in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from app.cli.deployment import deployment, operator
from app.cli.errors import REFUSED
from app.cli.progress import stoppable
from app.client.messages import say
from app.client.output import Row, as_json, show_json, show_rows
from app.domain.access.api_keys import ApiKey
from app.domain.damage import DamagedRow
from app.domain.gateways.keys import GatewayKey
from app.domain.operations.backups import BackupContents, OpenTokens, Restored
from config import load

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.command()
@_FILE
@as_json
@click.pass_obj
def backup(environ: Mapping[str, str], file: Path, *, json: bool) -> None:
    """Write the database as it is now to the new FILE. The server may keep running.

    The file appears whole or not at all, for its owner only. It holds no root key: the ones that it
    needs are printed; keep those apart from it.
    """
    with deployment(environ) as services, stoppable(lambda: "stopped: no backup was made."):
        contents = services.backups.make(file.absolute())
    if json:
        show_json({"file": str(file), **asdict(contents)})
    else:
        _show_contents(contents)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path), required=False)
@click.option("--replace", is_flag=True, help="Set the present database aside, with its log.")
@click.option("--skip-damaged", is_flag=True, help="Accept damaged rows; they grant nothing.")
@click.option(
    "--verify-only", is_flag=True, help="Verify the present database, and change nothing; no FILE."
)
@click.option(
    "--end-injections",
    is_flag=True,
    help="The same, and end pending injections and gateway tokens afterwards.",
)
@as_json
@click.pass_context
def restore(
    context: click.Context,
    file: Path | None,
    *,
    replace: bool,
    skip_damaged: bool,
    verify_only: bool,
    end_injections: bool,
    json: bool,
) -> None:
    """Replace the database by the backup FILE. Stop the server first.

    The file is verified before: its pages, its schema and, if the keyring opens the system key,
    each row. Pending injections and gateway tokens end. API keys and gateway keys that are live
    again are listed.

    With --verify-only, the database that PostgreSQL's own tools have put back is verified. A token
    that was redeemed or revoked since the backup is valid again there, unless you pass
    --end-injections.
    """
    environ: Mapping[str, str] = context.obj
    if verify_only or end_injections:
        if file is not None or replace or skip_damaged:
            raise click.UsageError("The present database is verified: leave out FILE and the rest.")
        context.exit(_verify(environ, end_injections=end_injections, json=json))
    if file is None:
        raise click.MissingParameter(param_hint="FILE", param_type="argument")
    from app.restoring import restore as put_back  # noqa: PLC0415 - see app.cli.deployment

    settings = load(environ)
    restored = put_back(
        settings, file.absolute(), operator(), replace=replace, skip_damaged=skip_damaged
    )
    if json:
        show_json(_document(restored))
    else:
        _show(restored)
    taken_over = restored.taken_over
    _warn_of_rows(taken_over.damaged, is_verified=taken_over.is_verified)


def _verify(environ: Mapping[str, str], *, end_injections: bool, json: bool) -> int:
    """Verify the present database. Returns the exit code."""
    with deployment(environ) as services:
        verified = services.backups.verify()
        is_sound = verified.findings.ok and not verified.damaged
        is_ending = end_injections and is_sound
        ended = services.backups.end_open_tokens() if is_ending else OpenTokens()
    findings = verified.findings
    if json:
        show_json(
            {
                **asdict(verified.contents),
                "ok": is_sound,
                "faults": findings.faults,
                "verified": verified.is_verified,
                "damaged": [asdict(row) for row in verified.damaged],
                "pending_injections": verified.open_tokens.injections,
                "ended_injections": ended.injections,
                "live_gateway_tokens": verified.open_tokens.gateway_tokens,
                "ended_gateway_tokens": ended.gateway_tokens,
            }
        )
    elif findings.ok:
        _show_contents(verified.contents)
        injections, tokens = verified.open_tokens
        click.echo(f"{injections} pending injections, {ended.injections} of them ended.")
        click.echo(f"{tokens} live gateway tokens, {ended.gateway_tokens} of them ended.")
    for fault in findings.faults:
        say(fault)
    if findings.ok:
        _warn_of_rows(verified.damaged, is_verified=verified.is_verified)
    return 0 if is_sound else REFUSED


def _show_contents(contents: BackupContents) -> None:
    click.echo(f"{contents.secrets} secrets, {contents.data_keys} data keys.")
    click.echo("Each data key needs one of the root keys that open it:")
    show_rows([asdict(each) for each in contents.root_keys], ("data_keys", "key_ref"), json=False)


def _show(restored: Restored) -> None:
    _show_contents(restored.contents)
    ended = restored.taken_over.ended
    click.echo(
        f"{ended.injections} pending injections, {ended.gateway_tokens} gateway tokens ended."
    )
    if restored.set_aside is not None:
        click.echo(f"The former database was set aside: {restored.set_aside}")
    keys = restored.taken_over.live_again
    if keys:
        were = "were not" if restored.taken_over.is_compared else "may not have been"
        click.echo(f"The tokens of these keys are valid again; they {were} valid before the")
        click.echo("restore. Revoke or rotate those that must not be:")
        show_rows([_key(key) for key in keys], ("account", "id", "name"), json=False)


def _warn_of_rows(damaged: Sequence[DamagedRow], *, is_verified: bool) -> None:
    if damaged:
        say("warning: these rows are damaged, and grant nothing:")
        for row in damaged:
            say(str(row))
    if not is_verified:
        say("warning: no listed provider opens the system key, so no row could be verified.")
        say("Make one of the root keys above available, then run: strongroom check")


def _document(restored: Restored) -> Row:
    taken_over, set_aside = restored.taken_over, restored.set_aside
    return {
        **asdict(restored.contents),
        "verified": taken_over.is_verified,
        "damaged": [asdict(row) for row in taken_over.damaged],
        "ended_injections": taken_over.ended.injections,
        "ended_gateway_tokens": taken_over.ended.gateway_tokens,
        "compared": taken_over.is_compared,
        "live_again": [_key(key) for key in taken_over.live_again],
        "set_aside": None if set_aside is None else str(set_aside),
    }


def _key(key: ApiKey | GatewayKey) -> Row:
    account = key.account_id if isinstance(key, ApiKey) else None
    return {"account": account, "id": key.id, "name": key.name}
