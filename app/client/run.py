"""``strongroom run``: start a command with secrets in its environment."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import click

from app.client.messages import internal_error, say, show_usage_error
from app.client.redeem import (
    INVALID,
    MAX_TIMEOUT_SECONDS,
    UNAVAILABLE,
    Allowed,
    Client,
    Fault,
    Refused,
    command_faults,
    countdown,
    credential_faults,
    erase_credentials,
    execute,
    forbid_dumps,
    hide,
    inherited_environment,
    is_token,
    name_faults,
    prepare,
    redeem,
    server_faults,
)
from app.client.selection import Selection
from app.client.terminal.start import run_masked
from app.masking.forms import is_long_enough

_MAX_SECRETS = 256  # of one injection
_TOKEN_SECONDS = 60  # enough, since we redeem it at once
_PAGE_SECRETS = 5000


@dataclass(frozen=True, kw_only=True)
class _Options:
    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
    mask: bool
    allowed: tuple[str, ...]
    override: bool
    allow_http: bool
    timeout: float
    command: tuple[str, ...]


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options. A usage error ends with 125, since the command may end with 2."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            show_usage_error(error)
            ctx.exit(INVALID)


_HELP = """Start a command with secrets in its environment.

RUNLOOP_BASE_URL names the server; RUNLOOP_API_KEY is the account's key, which the command does
not inherit. Without --mask the command replaces this process.

\b
The exit code is the command's own, unless nothing was started:
  123   the server refused: do not retry
  124   no usable response from the server in time: you may retry
  125   refused here: options, settings, names, sizes
  126   the command cannot be executed
  127   the command does not exist
  130   interrupted with Ctrl-C
"""
_ENTRY_HELP = "A variable and the secret for it; NAME alone for both. Repeatable."
_FILE_HELP = "A file of such entries, one per line; # begins a comment. Repeatable."
_ALLOWED_HELP = "Permit a variable that controls other programs. Repeatable."


@click.command(
    "run",
    cls=_Command,
    help=_HELP,
    options_metavar="[OPTIONS] --",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--secret", "entries", multiple=True, metavar="ENV=NAME", help=_ENTRY_HELP)
@click.option("--from", "files", multiple=True, type=click.Path(path_type=Path), help=_FILE_HELP)
@click.option("--all", "everything", is_flag=True, help="Every secret, in a variable of its name.")
@click.option("--mask", is_flag=True, help="Replace the values in what the command prints.")
@click.option("--allow-name", "allowed", multiple=True, metavar="ENV", help=_ALLOWED_HELP)
@click.option("--override", is_flag=True, help="Replace variables that are already set.")
@click.option("--allow-http", is_flag=True, help="Permit a server without TLS.")
@click.option("--timeout", default=MAX_TIMEOUT_SECONDS, help="Seconds to try to reach the server.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's, see _Options
    """Run the command, and end with the exit code."""
    try:
        forbid_dumps()
        erase_credentials()
        code = _run(_Options(**options), context.obj)
    except Refused as refused:
        click.echo(f"strongroom run: {refused.message}", err=True)
        code = refused.code
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 - any other exit code may be the command's
        say(internal_error(error))
        code = INVALID
    context.exit(code)


def _run(options: _Options, environ: Mapping[str, str]) -> int:
    server = _Server(environ, options.timeout)
    inherited = inherited_environment(environ)
    allowed = Allowed(options.allowed, options.override)
    names = _chosen_names(options, server, inherited, allowed)
    values = _values(server, names)
    environment = prepare(options.command, inherited, values, allowed)
    if not options.mask:
        execute(options.command, environment)
    for name, value in values.items():
        if not is_long_enough(value):
            click.echo(f"strongroom run: {hide(name)} is too short to be masked", err=True)
    return run_masked(options.command, environment, values.values())


class _Server:
    """The server that the environment names. ``timeout`` bounds all calls together, in seconds."""

    def __init__(self, environ: Mapping[str, str], timeout: float) -> None:
        self._url = environ.get("RUNLOOP_BASE_URL", "")
        self._api_key = environ.get("RUNLOOP_API_KEY", "")
        self.remaining = countdown(timeout)

    def faults(self, *, allow_http: bool) -> list[Fault]:
        """Return the faults of its two variables."""
        return [
            *server_faults(self._url, allow_http=allow_http),
            *credential_faults("RUNLOOP_API_KEY", self._api_key),
        ]

    def account(self) -> Client:
        """Return a client that sends the account's API key."""
        return Client(self._url, self._api_key, self.remaining())

    def injection(self, token: str) -> Client:
        """Return a client that sends an injection's token."""
        return Client(self._url, token, self.remaining())


def _chosen_names(
    options: _Options, server: _Server, inherited: Mapping[str, str], allowed: Allowed
) -> dict[str, str]:
    """Return the secret's name for each variable, after every check that needs no value."""
    selection = Selection(server.remaining)
    for entry in options.entries:
        selection.add_option(entry)
    for file in options.files:
        selection.add_file(file)
    faults = [
        *selection.faults,
        *server.faults(allow_http=options.allow_http),
        *command_faults(options.command, inherited),
    ]
    if options.everything and not faults:
        selection.add_all(secret_names(server.account()))
    faults += name_faults(selection.names, inherited, allowed)
    if len(selection.names) > _MAX_SECRETS:
        faults.append(Fault(f"more than {_MAX_SECRETS} secrets are chosen."))
    if not selection.names and not faults:
        faults.append(Fault("no secret is chosen (--secret, --from or --all)."))
    if faults:
        raise Refused(*faults)
    return selection.names


def secret_names(account: Client) -> list[str]:
    """Return the names of all secrets, or stop once they are too many for an injection."""
    query, names = {"limit": str(_PAGE_SECRETS)}, []
    while True:
        page = account.call(f"/v1/secrets?{urlencode(query)}", _page)
        names += page.names
        if len(set(names)) < len(names):
            raise Refused(Fault("the server lists secrets twice.", UNAVAILABLE))
        if page.next_after is None or len(names) > _MAX_SECRETS:
            return names
        query["starting_after"] = page.next_after


class _Page(NamedTuple):
    """Names, and the id after which the next page begins if there is one."""

    names: list[str]
    next_after: str | None


def _page(document: Mapping[str, Any]) -> _Page | None:
    try:
        secrets, more = document["secrets"], document["has_more"]
        return _Page([str(each["name"]) for each in secrets], secrets[-1]["id"] if more else None)
    except (KeyError, IndexError, TypeError):
        return None


def _values(server: _Server, names: Mapping[str, str]) -> dict[str, str]:
    """Return the values by variable, through an injection that is made and redeemed here."""
    values = redeem(server.injection(create(server.account(), names)))
    if values.keys() != names.keys():
        raise Refused(Fault("the server returned other variables than requested.", UNAVAILABLE))
    return values


def create(account: Client, names: Mapping[str, str]) -> str:
    """Create an injection, and return its token. Raises `Refused`."""
    wanted = {"secrets": names, "ttl_seconds": _TOKEN_SECONDS}
    return account.call("/v1/injections", _token, wanted)


def _token(document: Mapping[str, Any]) -> str | None:
    token: object = document.get("token")
    return str(token) if is_token(token) else None
