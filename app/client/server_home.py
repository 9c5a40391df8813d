"""Finds a server's home on this machine that we can read.

Whoever can read it has the keys, the database and the gateway's key, and so every value. A command
that is to use secrets without seeing them must run as somebody else.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_FILES = ("gateway.key", "strongroom.db", "client.env")
_CHECKOUT = Path(__file__).parents[2]
_INSTALLED = Path("/var/lib/strongroom")


def readable_home(environ: Mapping[str, str], checkout: Path = _CHECKOUT) -> Path | None:
    """Return a home of which a file is readable, or None.

    Args:
        checkout: Where the code is, and by default the home beside it.
    """
    for home in _homes(environ, checkout):
        if any(os.access(home / name, os.R_OK, effective_ids=True) for name in _FILES):
            return home
    return None


def _homes(environ: Mapping[str, str], checkout: Path) -> Iterator[Path]:
    if named := environ.get("STRONGROOM_HOME"):
        yield Path(named)
    yield from (Path("var").absolute(), checkout / "var", _INSTALLED)
