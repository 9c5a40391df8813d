"""``strongroom secret import``: create or replace the secrets that a file names."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.client.api import Account, Server
from app.client.command_line import INCOMPLETE, ClientCommand, server_options, show_note
from app.client.idle_connections import IdleConnections
from app.client.import_files.entries import THE_FILE, Entry
from app.client.import_files.entries import Fault as FileFault
from app.client.import_files.reading import (
    FORMATS,
    STANDARD_INPUT,
    ImportFile,
    format_of,
    read,
)
from app.client.messages import bar_columns
from app.client.output import show_rows
from app.client.redeem import INVALID, Fault, Refused, RefusedByServer
from app.client.secret.calls_at_once import CallsAtOnce
from app.client.secret.import_writes import Report, Write, write_all

_LISTED = 4999  # one page
_MISSING = 404
_SHOWN = 20
_HELP = """Create the secrets that a file names.

FILE is a path, or - for standard input.

The whole file is checked before anything is sent. If a name exists, nothing is written without
--update or --skip. Nothing of a value is ever printed.

\b
The name of FILE shows its format, unless you say --format:
  env     NAME=VALUE as python-dotenv reads it, without interpolation
  docker  NAME=VALUE as docker run --env-file reads it: quotes stay
  json    one object of strings
  yaml    one mapping of strings

\b
The exit code is 0 if every name was imported or skipped, else:
  6       a part is done; the others are named
  123     the server refused: do not retry
  124     no usable response from the server in time: you may retry
  125     refused here: options, settings, the file, names that exist
  130     interrupted with Ctrl-C
"""


class _ImportCommand(ClientCommand):
    outcome = "nothing was imported"


@dataclass(frozen=True, kw_only=True)
class _Options:
    files: tuple[Path, ...]
    kind: str | None
    update: bool
    skip: bool
    dry_run: bool
    allow_http: bool
    timeout: float


@click.command("import", cls=_ImportCommand, help=_HELP)
@click.argument("files", nargs=-1, metavar="FILE", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), help="The format of FILE.")
@click.option("--update", is_flag=True, help="Replace the values of names that exist.")
@click.option("--skip", is_flag=True, help="Leave names that exist as they are.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the plan for each name.")
@server_options
@click.pass_context
def import_file(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - see _Options
    """Import the file, and report on standard error."""
    chosen = _Options(**options)
    server = Server(context.obj)
    contents = _checked_file(chosen, server)
    for note in contents.notes():
        show_note(context, note)
    with closing(IdleConnections()) as idle:

        def account() -> Account:
            return server.account(chosen.timeout, idle)

        try:
            existing = _existing_names(account, contents.entries)
        except KeyboardInterrupt:
            show_note(context, "interrupted: nothing was imported.")
            raise
        if chosen.dry_run:
            _show_plan(context, contents, existing)
        else:
            _import(context, chosen, contents.entries, existing, account)


def _checked_file(options: _Options, server: Server) -> ImportFile:
    """Read the file, and refuse every fault that shows before anything is sent.

    Faults of values are left to a dry run, which shows them beside the names.
    """
    faults = server.faults(allow_http=options.allow_http)
    if options.update and options.skip:
        faults.append(Fault("--update and --skip exclude each other."))
    if len(options.files) != 1:
        raise Refused(*faults, Fault("one FILE is expected, and nothing else."))
    (file,) = options.files
    label, kind = _label(file), options.kind or format_of(file)
    if kind is None:
        raise Refused(*faults, Fault(f"{label}: {_why_no_format(file)}."))
    contents = read(file, kind, options.timeout)
    if not (options.dry_run and contents.has_sure_names):
        faults += [_file_fault(label, fault) for fault in contents.faults[:_SHOWN]]
        if len(contents.faults) > _SHOWN:
            faults.append(Fault(f"{label}: {len(contents.faults) - _SHOWN} more faults."))
    if faults:
        raise Refused(*faults)
    return contents


def _why_no_format(file: Path) -> str:
    """Return the fault of a file whose name shows no format: perhaps there is no such file."""
    if not file.exists():
        return f"cannot be read ({os.strerror(errno.ENOENT)})"
    if file.is_dir():
        return f"cannot be read ({os.strerror(errno.EISDIR)})"
    return f"the name shows no format: add --format {'|'.join(FORMATS)}"


def _label(file: Path) -> str:
    """Return the file's name for messages, unless it may be a value that was typed."""
    if file == STANDARD_INPUT:
        return "standard input"
    return "FILE" if "=" in file.name and not file.exists() else str(file)


def _file_fault(label: str, fault: FileFault) -> Fault:
    place = "" if fault.place == THE_FILE else f", {fault.place}"
    return Fault(f"{label}{place}: {fault.rule}.")


def _existing_names(account: Callable[[], Account], entries: Sequence[Entry]) -> set[str]:
    """Return which of the names exist: by one page of the list, or by name in a large account."""
    found = account().secrets(_LISTED)
    if len(found) <= _LISTED:
        return {each.name for each in found} & {entry.name for entry in entries}

    def exists(name: str) -> bool:
        try:
            account().get(name)
        except RefusedByServer as refused:
            if refused.status != _MISSING:
                raise
            return False
        return True

    existing, calls = set(), CallsAtOnce([entry.name for entry in entries], exists)
    for name, result in calls.results():
        if isinstance(result, Refused):
            calls.stop()
            raise result
        if result:
            existing.add(name)
    return existing


def _show_plan(context: click.Context, contents: ImportFile, existing: set[str]) -> None:
    refused = {fault.place: str(fault) for fault in contents.faults}
    rows = []
    for entry in contents.entries:
        plan = "exists, value not compared" if entry.name in existing else "new"
        if plan == "new" and "-" in entry.name:
            plan = "new, unless the server refuses the hyphen"
        if entry.place in refused:
            plan = f"refused: {refused[entry.place]}"
        rows.append({"name": entry.name, "plan": plan})
    show_rows(rows, ("name", "plan"), json=False)
    if refused:
        context.exit(INVALID)


def _import(
    context: click.Context,
    options: _Options,
    entries: Sequence[Entry],
    existing: set[str],
    account: Callable[[], Account],
) -> None:
    if existing and not (options.update or options.skip):
        text = "these names exist (--update replaces their values, --skip leaves them): "
        raise Refused(Fault(f"{text}{_few(sorted(existing))}."))
    writes = [
        Write(entry, entry.name in existing)
        for entry in entries
        if options.update or entry.name not in existing
    ]
    report = Report([each.entry.name for each in writes], skipped=len(entries) - len(writes))
    again = "run it again" if options.update else "run it again with --skip"
    end = ""
    try:
        with _progress(len(writes)) as advance:
            write_all(writes, account, report, advance)
    except (KeyboardInterrupt, SystemExit):
        end = "interrupted: "
        raise
    finally:
        for name, refused in report.failed.items():
            show_note(context, f"{name}: {' '.join(fault.text for fault in refused.faults)}")
        on = f" To go on, {again}." if end or report.failed else ""
        show_note(context, f"{end}{report.summary()}.{on}")
    context.exit(_exit_code(report))


def _exit_code(report: Report) -> int:
    if not report.failed:
        return 0
    if report.done or report.skipped:
        return INCOMPLETE
    codes = {refused.code for refused in report.failed.values()}
    return codes.pop() if len(codes) == 1 else INVALID


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Yield the function that moves a bar on by one, if standard error is a terminal."""
    if not (total and sys.stderr.isatty()):
        yield lambda: None
        return
    label = "importing"
    beside = f"{label}  []  {total}/{total}"
    with click.progressbar(
        length=total,
        label=label,
        file=sys.stderr,
        show_pos=True,
        width=bar_columns(len(beside)),
    ) as bar:
        yield lambda: bar.update(1)
