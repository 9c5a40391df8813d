"""``strongroom audit``: reads the audit trail, and proves it."""

import json as json_module
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

import click

from app.cli.completion import account_names
from app.cli.deployment import deployment
from app.cli.errors import DAMAGED
from app.cli.progress import stoppable
from app.cli.stored_rows import show_stored
from app.client.messages import say
from app.client.output import Function, Row, as_json, show, show_json
from app.client.summaries import SummaryGroup
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.audit.checkpoints import NotACheckpoint
from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.audit.findings import AuditFindings
from app.domain.audit.kept_heads import kept_heads
from app.domain.ids import is_any_id
from app.services.audit.exporting import ExportFilter
from app.services.container import Services

_COLUMNS = ("created_at_ms", "action", "outcome", "actor", "subjects", "address", "id")
_COMPACT = (",", ":")
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])


@click.group("audit", cls=SummaryGroup)
def audit() -> None:
    """The audit trail: list, export, verify, sign its head, cut what is old enough."""


def _filters(function: Function) -> Function:
    """Add the options that select records."""
    secret = "Only records about this secret, by its id, or by its name with an account."  # noqa: S105
    options: Sequence[Callable[[Function], Function]] = (
        click.option("--secret", metavar="SECRET", help=secret),
        click.option("--key", metavar="ID", help="Only of this API key and keys made with it."),
        click.option(
            "--action",
            type=click.Choice([action.value for action in Action]),
            metavar="ACTION",
            help="Only of this action, such as secret.updated.",
        ),
        click.option("--since", type=_MOMENT, help="Only from this time on, in UTC."),
        click.option("--until", type=_MOMENT, help="Only from before this time, in UTC."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@audit.command("list")
@click.argument("account", required=False, shell_complete=account_names)
@_filters
@as_json
@click.pass_obj
def list_(
    environ: Mapping[str, str],
    /,
    account: str | None,
    *,
    json: bool,
    **options: str | datetime | None,
) -> None:
    """List the records of ACCOUNT, or those of the operator without one, newest first.

    Each is verified by its MAC. Only `audit verify` finds out if one is gone.
    """
    with deployment(environ) as services:
        account_id = _account_id(services, account)
        stored = services.audit.events.all(account_id, _wanted(services, account_id, **options))
        show_stored(stored, _row, _COLUMNS, json=json)


@audit.command()
@click.argument("file", metavar="[FILE]", type=click.File("w", atomic=True), default="-")
@click.option("--account", shell_complete=account_names, help="Only records of this account.")
@click.option("--after", type=click.IntRange(min=0), help="Go on after an export of this size.")
@_filters
@click.pass_obj
def export(
    environ: Mapping[str, str],
    /,
    file: TextIO,
    account: str | None,
    after: int | None,
    **options: str | datetime | None,
) -> None:
    """Write sealed records with their proof to FILE, or to standard output, as JSON Lines.

    What you leave out by an option is there as a hash. The last line has the size for --after.
    `verify_audit.py` verifies it anywhere, with the public key alone.
    """
    with deployment(environ) as services, stoppable(lambda: "stopped: the export is cut off."):
        account_id = None if account is None else services.accounts.id_of(account)
        wanted = ExportFilter(account_id, tuple(_wanted(services, account_id, **options)))
        lines = services.audit.exporter.export(after, wanted)
        file.writelines(f"{json_module.dumps(line, separators=_COMPACT)}\n" for line in lines)


@audit.command()
@click.option(
    "--against",
    "kept",
    type=click.File(errors="replace"),
    metavar="HEADS",
    help="File of heads that were kept elsewhere: notes, or lines of the log.",
)
@as_json
@click.pass_context
def verify(context: click.Context, kept: TextIO | None, *, json: bool) -> None:
    """Seal what waits, then verify every row of the audit trail. Exit 5 if one is not right.

    The server may keep running.
    """
    with deployment(context.obj) as services, stoppable(lambda: "stopped: nothing is verified."):
        findings = services.audit.verifier.verify(_notes(kept))
    document = {**asdict(findings), "ok": findings.ok}
    if json:
        show_json(document)
    else:
        _show_findings(findings)
    if not findings.ok:
        context.exit(DAMAGED)


@audit.command()
@click.option("--key", "only_key", is_flag=True, help="Print only the public key.")
@as_json
@click.pass_obj
def head(environ: Mapping[str, str], *, only_key: bool, json: bool) -> None:
    """Seal what waits, and print the newest head, signed now. Keep it away from this host."""
    with deployment(environ) as services:
        newest = services.audit.heads.newest()
    if newest is None:
        raise click.ClickException("nothing was recorded yet.")
    document = {"size": newest.size, "head": newest.note, "verifier_key": newest.verifier_key}
    text = newest.verifier_key if only_key else newest.note.removesuffix("\n")
    show(document, text, json=json)


@audit.command("accept-loss")
@click.option(
    "--head", "note", required=True, type=click.File(), metavar="NOTE", help="File of its head."
)
@click.pass_obj
def accept_loss(environ: Mapping[str, str], note: TextIO) -> None:
    """Record that the log of the head NOTE is lost, after a restore or a fail-over.

    `audit verify` then says of the heads that were lost that this record explains them.
    """
    notes = _notes(note)
    with deployment(environ) as services:
        for each in notes:
            lost = services.audit.losses.accept(each)
            say(f"recorded: the log of size {lost.size} is lost")
    if not notes:
        raise click.UsageError("--head: the file has no head.")


@audit.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@as_json
@click.pass_obj
def cut(environ: Mapping[str, str], *, dry_run: bool, json: bool) -> None:
    """Delete sealed records that are older than STRONGROOM_AUDIT_RETENTION_DAYS.

    A record of it comes first, and later heads still recompute. If this is stopped, run it again.
    """
    with deployment(environ) as services:
        done = services.audit.cutter.count() if dry_run else services.audit.cutter.cut()
    verb = "would be deleted" if dry_run else "deleted"
    show(asdict(done), f"{done.blocks} blocks {verb}, up to leaf {done.leaf}.", json=json)


def _account_id(services: Services, account: str | None) -> str:
    return SYSTEM_ACCOUNT_ID if account is None else services.accounts.id_of(account)


def _wanted(
    services: Services, account_id: str | None, **options: str | datetime | None
) -> list[EventFilter]:
    """Return the filters of which one must select a record: a name may have had several ids."""
    secret = options["secret"]
    ids: Sequence[str | None] = [secret if isinstance(secret, str) else None]
    if isinstance(secret, str) and not is_any_id(secret):
        if account_id is None:
            raise click.UsageError("--secret: a name needs an account.")
        ids = sorted(services.audit.events.ids_of(account_id, secret))
    return [
        EventFilter(
            action=_text(options["action"]),
            actor=_text(options["key"]),
            subject=each,
            since_ms=_unix_ms(options["since"]),
            until_ms=_unix_ms(options["until"]),
        )
        for each in ids
    ]


def _text(option: str | datetime | None) -> str | None:
    return option if isinstance(option, str) else None


def _unix_ms(option: str | datetime | None) -> int | None:
    if not isinstance(option, datetime):
        return None
    return round(option.replace(tzinfo=UTC).timestamp() * 1000)


def _notes(file: TextIO | None) -> list[str]:
    try:
        return [] if file is None else list(kept_heads(file))
    except NotACheckpoint:
        raise click.UsageError("the file holds something that is no head.") from None


def _row(event: AuditEvent) -> Row:
    return {
        "id": event.id,
        "created_at_ms": event.at_ms,
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "issuers": list(event.issuers),
        "subjects": " ".join(event.subjects),
        "details": event.details,
        "address": event.address,
        "request_id": event.request_id,
    }


def _show_findings(findings: AuditFindings) -> None:
    for text in findings.unchecked:
        say(f"not verified: {text}")
    for text in findings.explained:
        click.echo(text)
    for text in findings.faults:
        say(f"wrong: {text}")
    if findings.uncounted:
        say(f"wrong: {findings.uncounted} more")
    result = "all right" if findings.ok else f"{len(findings.faults)} faults"
    click.echo(
        f"{findings.events} events in {findings.blocks} blocks, {findings.heads} heads, "
        f"log of size {findings.size}: {result}."
    )
