"""``strongroom keyring``: shows data keys, and moves them from root key to root key."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isfinite
from operator import itemgetter
from pathlib import Path

import click

from app.cli.deployment import deployment, deployment_of
from app.cli.errors import INCOMPLETE
from app.cli.progress import shown
from app.cli.recovery_files import FILE, read_private_half, write_pair
from app.cli.stored_rows import say_damaged, show_stored
from app.client.messages import say
from app.client.output import Function, Row, as_json, moment, show, show_json, show_rows
from app.client.summaries import SummaryGroup
from app.domain.operations.workers import SeenWorker
from app.services.keys.history import KeyringStep
from app.services.keys.status import KeyringReport, ProviderLine
from app.services.rotation.progress import Progress
from app.services.rotation.retire import Dependence
from config import load

_PROVIDER_COLUMNS = ("role", "scheme", "healthy", "data_keys_without", "key_ref", "detail")

_HISTORY_COLUMNS = ("began_at_ms", "ended_at_ms", "action", "count", "to", "replaced", "actor")


@click.group(cls=SummaryGroup)
def keyring() -> None:
    """Root keys: status, history, rewrap, re-encrypt, retire, recover."""


@keyring.command()
@as_json
@click.pass_obj
def status(environ: Mapping[str, str], *, json: bool) -> None:
    """Show each provider's health and current key_ref, and count the wrappings of each key_ref."""
    with deployment(environ) as services:
        report = services.keyring_status.report()
    if json:
        show_json(_status_document(report))
    else:
        _show_status(report)


@keyring.command()
@as_json
@click.pass_obj
def history(environ: Mapping[str, str], *, json: bool) -> None:
    """List what was done about root keys and by whom, newest first, from the audit trail."""
    with deployment(environ) as services:
        show_stored(
            services.audit.keyring_history.steps(), _history_row, _HISTORY_COLUMNS, json=json
        )


def _history_row(step: KeyringStep) -> Row:
    return {**asdict(step), "to": " ".join(step.to), "replaced": " ".join(step.replaced)}


def _finite(_: click.Context, __: click.Parameter, rate: float | None) -> float | None:
    if rate is not None and not isfinite(rate):
        raise click.BadParameter("it must be finite.")
    return rate


def _sweep(rows: str) -> Callable[[Function], Function]:
    """Add the options of a sweep over these rows."""
    above_0 = click.FloatRange(min=0, min_open=True)
    bound = f"{rows} to work on per second, at most."
    rate = click.option("--rate", type=above_0, callback=_finite, help=bound)
    dry_run = click.option("--dry-run", is_flag=True, help="Only count what would be done.")
    return lambda function: as_json(dry_run(rate(function)))


@keyring.command()
@_sweep("Data keys")
@click.pass_context
def rewrap(context: click.Context, *, rate: float | None, dry_run: bool, json: bool) -> None:
    """Wrap every stale data key by the first provider and each escrow key.

    Values and data keys stay as they are. The server may keep running. If this is stopped, run it
    again.
    """
    with deployment(context.obj) as services, shown(dry_run=dry_run) as report:
        progress = services.rewrap.run(report, rate=rate, dry_run=dry_run)
    _finish(context, progress, dry_run=dry_run, json=json)


@keyring.command()
@_sweep("Secrets")
@click.option("--restart", is_flag=True, help="Begin again, instead of resuming a stopped job.")
@click.pass_context
def reencrypt(
    context: click.Context, *, rate: float | None, dry_run: bool, restart: bool, json: bool
) -> None:
    """Give every value a new data key. The server may keep running.

    If this is stopped, run it again: it resumes, and says so. Data keys that were made since its
    first start then stay; with --restart they are replaced, too.
    """
    with deployment(context.obj) as services, shown(dry_run=dry_run) as report:
        unfinished = None if restart else services.reencrypt.unfinished()
        if unfinished is not None:
            say(f"resuming the job of {moment(unfinished)}. Data keys made since then stay;")
            say("to replace them too, run: strongroom keyring reencrypt --restart")
        progress = services.reencrypt.run(report, rate=rate, dry_run=dry_run, restart=restart)
    _finish(context, progress, dry_run=dry_run, json=json)


@keyring.command()
@click.argument("key_ref")
@click.option("--undo", is_flag=True, help="Allow new wrappings by KEY_REF again.")
@click.option("--dry-run", is_flag=True, help="Only count what would be done.")
@as_json
@click.pass_obj
def retire(
    environ: Mapping[str, str], key_ref: str, *, undo: bool, dry_run: bool, json: bool
) -> None:
    """Delete all wrappings by KEY_REF, and allow no new ones.

    Refused if a data key has no other wrapping, or if a live worker can open the system data key
    with nothing else. Waits some seconds for the workers' heartbeats.
    """
    if undo and dry_run:
        raise click.UsageError("--undo and --dry-run exclude each other.")
    with deployment(environ) as services:
        if undo:
            services.retire.undo(key_ref)
            show({"fenced": False}, "The fence is lifted.", json=json)
            return
        if dry_run:
            _show_dependence(services.retire.count(key_ref), json=json)
            return
        with shown() as report:
            retired = services.retire.run(key_ref, report)
    show(asdict(retired), f"{retired.wrappings} wrappings deleted.", json=json)
    say("backups made before now still need this root key: keep it as long as you keep them")


@keyring.command("make-recovery-key")
@click.option("--private", required=True, type=FILE, help="New file; keep it offline.")
@click.option("--public", required=True, type=FILE, help="New file, for STRONGROOM_ESCROW_KEYS.")
@click.pass_obj
def make_recovery_key(environ: Mapping[str, str], private: Path, public: Path) -> None:
    """Make a recovery key pair for this deployment, and print its fingerprint.

    Existing files are never overwritten.
    """
    with deployment(environ) as services:
        pair = services.recovery.make_key()
    write_pair(pair, private=private, public=public)
    click.echo(pair.private.key.public_key.key_ref)
    say("this is the pair's fingerprint: strongroom check shows it beside the setting.")
    say("add recovery:PATH of the public file to STRONGROOM_ESCROW_KEYS on every node,")
    say("then run: strongroom keyring rewrap")


@keyring.command()
@click.option("--private", required=True, type=FILE, help="The private half of the pair.")
@click.option("--skip-damaged", is_flag=True, help="Skip damaged rows instead of stopping.")
@_sweep("Data keys")
@click.pass_context
def recover(
    context: click.Context,
    private: Path,
    *,
    skip_damaged: bool,
    rate: float | None,
    dry_run: bool,
    json: bool,
) -> None:
    """Wrap every data key for the present keyring, opening them with the recovery key."""
    settings = load(context.obj)
    private_half = read_private_half(private, settings.files)
    with deployment_of(settings) as services, shown(dry_run=dry_run) as report:
        progress = services.recovery.run(
            private_half, report, rate=rate, dry_run=dry_run, skip_damaged=skip_damaged
        )
    _finish(context, progress, json=json, dry_run=dry_run)


def _finish(
    context: click.Context, progress: Progress, *, json: bool, dry_run: bool = False
) -> None:
    """Print the outcome. The exit code is 6 if a data key failed."""
    reasons = sorted(progress.reasons.items(), key=itemgetter(1), reverse=True)
    document = {
        "data_keys": progress.done,
        "changed": progress.changed,
        "failed": progress.failed,
        "reasons": dict(reasons),
        "damaged": [asdict(row) for row in progress.damaged],
    }
    done = "would change" if dry_run else "changed"
    show(document, f"{progress.changed} of {progress.done} data keys {done}.", json=json)
    say_damaged(progress.damaged)
    if progress.failed:
        counts = ", ".join(f"{cause} {count}" for cause, count in reasons)
        failed = "would fail" if dry_run else "failed"
        say(f"{progress.failed} data keys {failed} and stay as they were: {counts}.")
        context.exit(INCOMPLETE)


def _show_dependence(found: Dependence, *, json: bool) -> None:
    document = {
        "wrappings": found.wrappings,
        "stranded_data_keys": found.stranded_data_keys,
        "blind_workers": len(found.blind_workers),
    }
    if found.blind_workers and not found.stranded_data_keys:
        text = "It would be refused: a live worker lists nothing else."
    elif found.stranded_data_keys:
        text = (
            f"It would be refused: {found.stranded_data_keys} data keys have no other wrapping "
            "that a listed provider opens."
        )
    else:
        text = f"{found.wrappings} wrappings would be deleted."
    show(document, text, json=json)
    for fault in (*found.faults, *found.blind_workers):
        say(fault)


def _status_document(report: KeyringReport) -> Row:
    return {
        "data_keys": report.data_keys,
        "unreadable_data_keys": report.unreadable_data_keys,
        "providers": [_provider_row(line) for line in report.providers],
        "key_refs": [asdict(line) for line in report.key_refs],
        "workers": [_worker_row(each) for each in report.workers],
    }


def _show_status(report: KeyringReport) -> None:
    rows = [_provider_row(line) for line in report.providers]
    show_rows(rows, _PROVIDER_COLUMNS, json=False)
    click.echo()
    refs = [asdict(line) for line in report.key_refs]
    show_rows(refs, ("state", "wrappings", "key_ref"), json=False)
    click.echo()
    if report.workers:
        workers = [_worker_row(each) for each in report.workers]
        show_rows(workers, ("state", "node", "lists", "opened_by"), json=False)
        click.echo()
    unreadable = report.unreadable_data_keys
    click.echo(f"{report.data_keys} data keys, {unreadable} that no listed provider opens.")


def _worker_row(seen: SeenWorker) -> Row:
    return {
        "state": "live" if seen.is_live else "silent",
        "node": seen.worker.node,
        "lists": " ".join(seen.worker.key_refs),
        "opened_by": " ".join(seen.worker.opened_by),
    }


def _provider_row(line: ProviderLine) -> Row:
    return {
        "role": line.role,
        "scheme": line.scheme,
        "healthy": line.status.healthy,
        "key_ref": line.status.key_ref,
        "data_keys_without": line.data_keys_without,
        "detail": line.status.detail or None,
    }
