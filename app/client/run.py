"""``strongroom run``: start a command with secrets in its environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options
from app.client.completion import files, secret_entries
from app.client.redeem import (
    Allowed,
    Fault,
    Refused,
    command_faults,
    countdown,
    execute,
    hide,
    inherited_environment,
    memory_file_faults,
    prepare,
)
from app.client.selection import (
    Choice,
    Chosen,
    choice_options,
    choose,
    leave_out_oversized,
    values_of,
)
from app.client.selection.left_out import LeftOut
from app.client.terminal.start import Job, run_job
from app.client.watch import (
    INTERVAL_SECONDS,
    MAX_INTERVAL_SECONDS,
    ChangeWatch,
    Watcher,
    look,
)
from app.masking.forms import is_long_enough
from app.masking.search import ValueSearch

_LOOK_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class _Options:
    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
    in_files: tuple[str, ...]
    mask: bool
    watch: bool
    watch_interval: int | None
    allowed: tuple[str, ...]
    override: bool
    allow_http: bool
    timeout: float
    command: tuple[str, ...]


class _Command(ClientCommand):
    outcome = "nothing was started"


_HELP = """Start a command with secrets in its environment.

RUNLOOP_BASE_URL names the server; RUNLOOP_API_KEY is the account's key, which the command does
not inherit. Without --mask and --watch the command replaces this process.

\b
The exit code is the command's own, unless nothing was started:
  123   the server refused: do not retry
  124   no usable response from the server in time: you may retry
  125   refused here: options, settings, names, sizes
  126   the command cannot be executed
  127   the command does not exist
  130   interrupted with Ctrl-C
"""
_FILE_HELP = "The secret in a file in memory, whose path is in the variable. Repeatable."


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@choice_options
@click.option(
    "--file",
    "in_files",
    multiple=True,
    metavar="ENV=NAME",
    help=_FILE_HELP,
    shell_complete=secret_entries,
)
@click.option("--mask", is_flag=True, help="Replace the values in what the command prints.")
@click.option("--watch", is_flag=True, help="Start the command again when a value has changed.")
@click.option(
    "--watch-interval",
    type=click.IntRange(1, MAX_INTERVAL_SECONDS),
    metavar="SECONDS",
    help=f"How often --watch asks the server: {INTERVAL_SECONDS} unless you say otherwise.",
)
@click.option("--override", is_flag=True, help="Replace variables that are already set.")
@server_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=files)
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, see _Options
    """Run the command, and end with the exit code."""
    context.exit(_run(_Options(**options), context.obj))


def _run(options: _Options, environ: Mapping[str, str]) -> int:
    server, remaining = Server(environ), countdown(options.timeout)
    inherited = inherited_environment(environ)
    allowed = Allowed(options.allowed, options.override)
    faults = [
        *server.faults(allow_http=options.allow_http),
        *command_faults(options.command, inherited),
        *(memory_file_faults() if options.in_files else []),
    ]
    if options.watch_interval and not options.watch:
        faults.append(Fault("--watch-interval needs --watch."))
    choice = Choice(options.entries, options.files, options.everything, options.in_files)
    chosen = choose(choice, server, remaining, faults, inherited, allowed)
    jobs = _Jobs(options, chosen, inherited)
    if options.watch:
        return _run_watched(jobs, environ, remaining, options.watch_interval or INTERVAL_SECONDS)
    job = jobs.make(server, remaining, _say)
    chosen.left_out.show(_say)
    if not options.mask:
        execute(job.command, job.environment)
    return run_job(job)


class _Jobs:
    """Makes jobs of one command with the values of the chosen secrets."""

    def __init__(self, options: _Options, chosen: Chosen, inherited: Mapping[str, str]) -> None:
        self.chosen = chosen
        self._options, self._inherited = options, inherited

    def make(
        self, server: Server, remaining: Callable[[], float], say: Callable[[str], None]
    ) -> Job:
        """Return the command with the values of now. Raises `Refused`."""
        return self._make(self.chosen, server, remaining, say)

    def make_again(self, server: Server, say: Callable[[str], None]) -> Job:
        """Return the same, if the command can still be started. Raises `Refused`."""
        if faults := command_faults(self._options.command, self._inherited):
            raise Refused(*faults)
        chosen = replace(self.chosen, left_out=LeftOut())  # this was shown already
        return self._make(chosen, server, countdown(self._options.timeout), say)

    def _make(
        self,
        chosen: Chosen,
        server: Server,
        remaining: Callable[[], float],
        say: Callable[[str], None],
    ) -> Job:
        command, inherited = self._options.command, self._inherited
        values = values_of(chosen, server, remaining)
        values = leave_out_oversized(chosen, values, command, inherited)
        allowed = Allowed(self._options.allowed, self._options.override)
        environment = prepare(command, inherited, values, allowed, chosen.in_files)
        if not self._options.mask:
            return Job(command, environment, None)
        for name, value in values.items():
            if value and not is_long_enough(value):
                say(f"{name} is too short to be masked")
        return Job(command, environment, ValueSearch(values.values()))


def _run_watched(
    jobs: _Jobs, environ: Mapping[str, str], remaining: Callable[[], float], interval: float
) -> int:
    if jobs.chosen.unverified:  # what could be a value must not stand in the path of a request
        raise Refused(Fault("--watch needs an API key that can list secrets (secrets:read)."))
    server, silent, watcher = Server(environ), Server(environ, silent=True), Watcher()
    secrets = jobs.chosen.names.values()
    stamps = look(server.account(remaining()), secrets)
    job = jobs.make(server, remaining, _say)
    jobs.chosen.left_out.show(_say)
    watch = ChangeWatch(
        job,
        stamps,
        look=lambda: look(silent.account(_LOOK_SECONDS), secrets),
        fetch=lambda: jobs.make_again(silent, watcher.say),
        say=watcher.say,
        interval=interval,
    )
    return watcher.run(job, watch.next_job)


def _say(text: str) -> None:
    click.echo(f"strongroom run: {hide(text)}", err=True)
