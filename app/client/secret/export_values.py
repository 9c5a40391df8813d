"""``strongroom secret export``: values in a file or a pipe, in a format that programs read."""

import os
import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options, show_note
from app.client.redeem import (
    DIRECTORY,
    FORMATS,
    Allowed,
    Fault,
    Refused,
    countdown,
    format_faults,
    is_in_memory,
    output_faults,
    write,
)
from app.client.selection import Choice, choice_options, choose, values_of

_STANDARD_OUTPUT = 1
_HELP = """Write values to a file or a pipe.

An injection is made and redeemed at once. The formats are those of `strongroom redeem`. A file
has mode 0600, and appears whole or not at all. A terminal gets values only with --show.
"""


@dataclass(frozen=True, kw_only=True)
class _Options:
    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
    allowed: tuple[str, ...]
    form: str
    output: Path | None
    allow_disk: bool
    show: bool
    allow_http: bool
    timeout: float


@click.command("export", cls=ClientCommand, help=_HELP)
@choice_options
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, DIRECTORY]),
    default="dotenv",
    show_default=True,
)
@click.option(
    "--file", "output", type=click.Path(path_type=Path), help="The file or directory to make."
)
@click.option("--allow-disk", is_flag=True, help="Permit values on a disk.")
@click.option("--show", is_flag=True, help="Permit values on a terminal.")
@server_options
@click.pass_context
def export_values(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - see _Options
    """Write the values, after every check that needs none."""
    options = _Options(**given)
    server, remaining = Server(context.obj), countdown(options.timeout)
    faults = [*_place_faults(options), *server.faults(allow_http=options.allow_http)]
    chosen = choose(
        Choice(options.entries, options.files, options.everything),
        server,
        remaining,
        faults,
        inherited=(),
        allowed=Allowed(options.allowed, override=False),
    )
    values = values_of(chosen, server, remaining)
    chosen.left_out.show(partial(show_note, context))
    if not values:
        raise Refused(Fault("there is no value to export."))
    if faults := format_faults(options.form, values):
        raise Refused(*faults)
    try:
        _write(options, values)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = options.output or "standard output"
        raise Refused(Fault(f"{place} cannot be written: {error.strerror}.")) from None
    if options.output:
        count = "1 value" if len(values) == 1 else f"{len(values)} values"
        show_note(context, f"{options.output} has {count}")


def _place_faults(options: _Options) -> list[Fault]:
    """Return the faults of the place for the values."""
    if options.output:
        return output_faults(
            options.form, options.output, allow_disk=options.allow_disk, option="--file"
        )
    if options.form == DIRECTORY:
        return [Fault(f"--format {DIRECTORY} needs --file, the directory to make.")]
    if os.isatty(_STANDARD_OUTPUT):
        fault = Fault("standard output is a terminal (--show permits it).")
        return [] if options.show else [fault]
    is_file = stat.S_ISREG(os.fstat(_STANDARD_OUTPUT).st_mode)
    if is_file and not (options.allow_disk or is_in_memory(Path("/dev/fd/1"))):
        return [Fault("standard output is a file on a disk (--allow-disk permits it).")]
    return []


def _write(options: _Options, values: dict[str, str]) -> None:
    if options.output:
        write(options.form, options.output, values)
        return
    rest = memoryview(FORMATS[options.form](values).encode())
    while rest:
        rest = rest[os.write(_STANDARD_OUTPUT, rest) :]
