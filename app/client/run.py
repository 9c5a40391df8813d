"""``strongroom run``: start a command with secrets in its environment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from app.client.api import Server
from app.client.command_line import ClientCommand, server_options
from app.client.completion import files, secret_entries
from app.client.redeem import (
    SDK_NAMES,
    Allowed,
    Fault,
    Refused,
    SdkChoice,
    absent_tokens,
    command_faults,
    countdown,
    execute,
    gateway_variables,
    hide,
    inherited_environment,
    memory_file_faults,
    name_faults,
    prepare,
    sdk_choices,
    set_twice,
    with_sdks,
)
from app.client.selection import (
    Choice,
    Chosen,
    choice_options,
    choose,
    gateway_option,
    leave_out_oversized,
    tokens_of,
    values_of,
)
from app.client.selection.left_out import LeftOut
from app.client.server_home import readable_home
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
    gateways: tuple[str, ...]
    sdks: tuple[str, ...]
    same_user: bool
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
_SDK_HELP = (
    f"Variables by which programs take a gateway token: {', '.join(SDK_NAMES)}; "
    "NAME=PREFIX for a token in another variable. Repeatable."
)
_SAME_USER_HELP = "Permit --gateway for a user who can read the server's home."
_FILE_HELP = "The secret in a file in memory, whose path is in the variable. Repeatable."


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@choice_options
@gateway_option
@click.option(
    "--file",
    "in_files",
    multiple=True,
    metavar="ENV=NAME",
    help=_FILE_HELP,
    shell_complete=secret_entries,
)
@click.option("--sdk", "sdks", multiple=True, metavar="NAME", help=_SDK_HELP)
@click.option("--same-user", is_flag=True, help=_SAME_USER_HELP)
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
    sdks, sdk_faults = sdk_choices(options.sdks)
    faults += [*sdk_faults, *_home_faults(options, environ)]
    if options.watch_interval and not options.watch:
        faults.append(Fault("--watch-interval needs --watch."))
    choice = Choice(
        options.entries, options.files, options.everything, options.in_files, options.gateways
    )
    chosen = choose(choice, server, remaining, faults, inherited, allowed)
    _require_tokens(sdks, chosen, inherited, allowed)
    jobs = _Jobs(options, chosen, inherited, sdks)
    if options.watch:
        return _run_watched(jobs, environ, remaining, options.watch_interval or INTERVAL_SECONDS)
    job = jobs.make(server, remaining, _say)
    chosen.left_out.show(_say)
    if not options.mask:
        execute(job.command, job.environment)
    return run_job(job)


class _Jobs:
    """Makes jobs of one command with the values of the chosen secrets."""

    def __init__(
        self,
        options: _Options,
        chosen: Chosen,
        inherited: Mapping[str, str],
        sdks: Sequence[SdkChoice],
    ) -> None:
        self.chosen = chosen
        self._sdks = sdks
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
        tokens = tokens_of(chosen, server, remaining)
        allowed = Allowed(self._options.allowed, self._options.override)
        added, allowed, files = with_sdks({**values, **tokens}, self._sdks, allowed)
        environment = prepare(command, inherited, added, allowed, {*chosen.in_files, *files})
        if not self._options.mask:
            return Job(command, environment, None)
        values |= {prefix: tokens[prefix] for prefix in chosen.gateways}
        for name, value in values.items():
            if value and not is_long_enough(value):
                say(f"{name} is too short to be masked")
        return Job(command, environment, ValueSearch(values.values()))


def _home_faults(options: _Options, environ: Mapping[str, str]) -> list[Fault]:
    """Return a fault if the command could read the values that the gateway is to hide from it."""
    home = readable_home(environ) if options.gateways else None
    if home is None:
        return []
    if not options.same_user:
        text = (
            f"--gateway: this user can read {home}, a server's home, so the command can read every "
            "value. Run it as another user or in a container (or permit it by --same-user)."
        )
        return [Fault(text)]
    _say(f"the command can read every value, since its user can read {home}.")
    return []


def _require_tokens(
    sdks: Sequence[SdkChoice], chosen: Chosen, inherited: Iterable[str], allowed: Allowed
) -> None:
    """Refuse SDKs whose variables are set already, or whose gateway token is not chosen."""
    names = [name for sdk in sdks for name in sdk.names]
    tokens = [name for prefix in chosen.gateways for name in gateway_variables(prefix)]
    faults = absent_tokens(sdks, tokens) + set_twice(sdks, [*chosen.names, *tokens])
    faults += name_faults(names, inherited, Allowed([*allowed.names, *names], allowed.override))
    faults += memory_file_faults() if any(sdk.files for sdk in sdks) else []
    if faults:
        raise Refused(*faults)


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
