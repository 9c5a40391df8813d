"""Commands of the client's side: their options, and one way to end for all of them."""

import errno
import signal
from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.client.lazy_group import LazyGroup
from app.client.messages import internal_error, say, usage_errors
from app.client.output import forget_output
from app.client.redeem import (
    INVALID,
    MAX_TIMEOUT_SECONDS,
    UNAVAILABLE,
    Refused,
    erase_credentials,
    forbid_dumps,
    hide,
)

INCOMPLETE = 6  # a part is done
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

_Function = TypeVar("_Function", bound=Callable[..., Any])


class ClientCommand(click.Command):
    """A command that ends with an exit code of ``strongroom run``, also for a usage error.

    Attributes:
        outcome: The opening words of a refusal.
        unavailable: Other opening words for it if no usable response came in time.
    """

    outcome = "nothing was done"
    unavailable = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options. A usage error ends with 125, since other codes have a meaning."""
        with usage_errors(INVALID):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. A failure is reported without a traceback, which could show values."""
        try:
            forbid_dumps()
            erase_credentials()
            return super().invoke(ctx)
        except Refused as refused:
            is_lost = refused.code == UNAVAILABLE and self.unavailable
            outcome = self.unavailable if is_lost else self.outcome
            click.echo(f"{ctx.command_path}: {outcome}:{refused.reasons}", err=True)
            ctx.exit(refused.code)
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)
        except BrokenPipeError:
            forget_output()
            ctx.exit(128 + signal.SIGPIPE)
        except click.exceptions.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - any other exit code has a meaning
            if isinstance(error, OSError) and error.errno in _FULL:
                forget_output()
                show_note(ctx, f"the output cannot be written: {error.strerror}")
            else:
                say(internal_error(error))
            ctx.exit(INVALID)


class WritingCommand(ClientCommand):
    """A command that changes something on the server, which may have done it before it was lost."""

    unavailable = "the server confirmed nothing"


class ClientGroup(LazyGroup):
    """A group of such commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command. A usage error ends with 125."""
        with usage_errors(INVALID):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. An unknown one ends with 125."""
        with usage_errors(INVALID):
            return super().resolve_command(ctx, args)


def server_options(function: _Function) -> _Function:
    """Add ``--allow-http`` and ``--timeout``."""
    plain = click.option("--allow-http", is_flag=True, help="Permit a server without TLS.")
    patience = click.option(
        "--timeout", default=MAX_TIMEOUT_SECONDS, help="Seconds to try to reach the server."
    )
    return plain(patience(function))


def show_note(context: click.Context, text: str) -> None:
    """Print a line on standard error, after the command's name. Credentials in it are hidden."""
    click.echo(f"{context.command_path}: {hide(text)}", err=True)
