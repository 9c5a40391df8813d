"""The deployment that a command works on, imported when the command runs.

The database's driver and the key providers take half a second to import. Help and completion need
none of them.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from app.services.container import Services
from config import Settings, load


@contextmanager
def deployment(environ: Mapping[str, str]) -> Iterator[Services]:
    """Yield the services of the deployment that the environment names, and close them."""
    with deployment_of(load(environ)) as services:
        yield services


@contextmanager
def deployment_of(settings: Settings) -> Iterator[Services]:
    """Yield the services of the deployment of these settings, and close them."""
    from app.bootstrap import build  # noqa: PLC0415 - see the top

    with closing(build(settings)) as services:
        yield services
