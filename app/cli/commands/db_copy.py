"""``strongroom db copy``: moves the deployment to another database."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.progress import shown
from app.cli.stored_rows import say_damaged
from app.client.output import as_json, show
from app.repository.base import DatabaseMisconfigured
from app.services.rotation.progress import RateLimiter
from config.files import Files, UnsafeFile

if TYPE_CHECKING:
    from app.repository.moving.sides import Side

_FILE = click.Path(path_type=Path)


def _address(side: str, what: str) -> Callable[..., Callable[..., None]]:
    """Add the two options that name a database: its address, or a file that holds it."""
    by_url = click.option(f"--{side}", f"{side}_url", metavar="URL", help=f"{what} No password.")
    by_file = click.option(
        f"--{side}-file", metavar="FILE", type=_FILE, help="The file with this address."
    )
    return lambda function: by_url(by_file(function))


@click.command()
@_address("from", "The database of now, as in STRONGROOM_DATABASE_URL.")
@_address("to", "The new, empty database.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged rows behind.")
@click.option("--reopen", is_flag=True, help="Undo: serve from the database of before again.")
@as_json
@click.pass_obj
def copy(
    environ: Mapping[str, str],
    *,
    from_url: str | None,
    from_file: Path | None,
    to_url: str | None,
    to_file: Path | None,
    skip_damaged: bool,
    reopen: bool,
    json: bool,
) -> None:
    """Move the deployment to another database, between SQLite and PostgreSQL.

    The database of before is closed first: its servers answer 503 and code moved. Values are never
    opened. If this is stopped, run it again.
    """
    files = Files.of(environ)
    source_url = _chosen("--from", from_url, from_file, files)
    target_url = _chosen("--to", to_url, to_file, files)
    from app.repository.moving import move as moving  # noqa: PLC0415 - see app.cli.deployment
    from app.repository.moving.sides import open_side  # noqa: PLC0415

    with (
        open_side(source_url, "--from", is_target=False) as source,
        open_side(target_url, "--to", is_target=True) as target,
    ):
        if reopen:
            moving.reopen(source, target)
            show({"open": "from"}, "The database of before is open again.", json=json)
            return
        _move(source, target, skip_damaged=skip_damaged, json=json)


def _move(source: "Side", target: "Side", *, skip_damaged: bool, json: bool) -> None:
    from app.repository.moving.move import Move  # noqa: PLC0415 - see app.cli.deployment

    move = Move(source, target, skip_damaged=skip_damaged)
    copied, total = move.count()
    damaged = []
    if not move.is_finished:
        with _reported("rows copied", total, copied) as done:
            move.copy(done)
        with _reported("rows verified", total, 0) as done:
            damaged = move.verify(done)
            move.finish()
    document = {"rows": total - len(damaged), "damaged": [asdict(row) for row in damaged]}
    text = f"{total - len(damaged)} rows copied and verified. The new database is open."
    show(document, text, json=json)
    say_damaged(damaged)


@contextmanager
def _reported(unit: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    """Show the progress over all rows, of which some are done."""
    with shown() as report:
        walk = RateLimiter(total, None, report, to_do=total - done, unit=unit)
        yield lambda rows: walk.step(done=rows, changed=rows, reasons=Counter())


def _chosen(option: str, url: str | None, file: Path | None, files: Files) -> str:
    """Return an address, of the command line or of a file.

    Raises:
        UsageError: None is given, or both are.
        DatabaseMisconfigured: It holds a password where others see it, or the file cannot be read.
    """
    if (url is None) == (file is None):
        raise click.UsageError(f"Give either {option} or {option}-file.")
    if file is not None:
        try:
            return files.read_private(file).decode().strip()
        except UnsafeFile as fault:
            text = f"{option}-file: the file {fault}."
        except UnicodeDecodeError:
            text = f"{option}-file: the file is not text."
        raise DatabaseMisconfigured(text)
    assert url is not None  # noqa: S101 - one of them is given
    _refuse_password(option, url)
    return url


def _refuse_password(option: str, url: str) -> None:
    from app.repository.connect import has_password  # noqa: PLC0415 - see app.cli.deployment

    if has_password(url):
        raise DatabaseMisconfigured(
            f"{option}: it holds a password, which every user of this machine can see. Change the "
            f"password; then name its file by passfile= or PGPASSFILE, or use {option}-file."
        )
