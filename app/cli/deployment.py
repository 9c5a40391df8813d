"""The deployment that a command works on, imported when the command runs.

The database's driver and the key providers take half a second to import. Help and completion need
none of them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import click

from app.domain.audit.actors import NamedActor
from app.services.container import Services
from config import Settings, load

_LOGIN_USER = Path("/proc/self/loginuid")
_NOT_SET = 2**32 - 1


@contextmanager
def deployment(environ: Mapping[str, str]) -> Iterator[Services]:
    """Yield the services of the deployment that the environment names, and close them."""
    with deployment_of(load(environ)) as services:
        yield services


@contextmanager
def deployment_of(settings: Settings) -> Iterator[Services]:
    """Yield the services of the deployment of these settings, and close them."""
    from app.bootstrap import build  # noqa: PLC0415 - see the top

    with closing(build(settings, actor=operator())) as services:
        yield services


def operator() -> NamedActor:
    """Return who runs this command: the command, the user, and the user who logged in."""
    context = click.get_current_context(silent=True)
    path = "" if context is None else context.command_path
    return NamedActor.operator(path.partition(" ")[2], os.getuid(), _login_user_id())


def _login_user_id() -> int | None:
    """Return the user who logged in, whom neither sudo nor runuser change; ``None`` if unknown."""
    with suppress(OSError, ValueError):
        user_id = int(_LOGIN_USER.read_text())
        return None if user_id == _NOT_SET else user_id
    return None
