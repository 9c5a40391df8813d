"""A deployment changes its root key while it serves, and loses nothing.

With ``-s`` it says how long the steps take.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.keys.roots import KmsRoot, LocalRoot, Root, TransitRoot, list_keys
from tests.e2e.keys.tenants import Writer, astray, at_work, seed_in_bulk
from tests.support.faulty_proxy import FaultyProxy
from tests.support.kms import KmsServer
from tests.support.openbao import OpenBao
from tests.support.strongroom import Strongroom, running
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

FULL_SIZE = (2000, 50)  # accounts, and secrets of each
REDUCED_SIZE = (30, 20)
WRITERS = 2


@pytest.mark.timeout(3600)
def test_a_deployment_moves_from_provider_to_provider_while_it_serves(
    kms: KmsServer,
    kms_proxy: FaultyProxy,
    aws: dict[str, str],
    openbao: OpenBao,
    until: ExitStack,
    terminal: Terminal,
    tmp_path: Path,
    *,
    proving: bool,
) -> None:
    """On the way some accounts are compared; at the end, in a server started anew, every value."""
    roots = (
        LocalRoot(tmp_path / "first"),
        KmsRoot(kms, kms_proxy, until),
        TransitRoot(openbao, openbao.host, tmp_path),
        LocalRoot(tmp_path / "last"),
    )
    list_keys(tmp_path, roots[0].uri)
    settings = terminal.environ | aws | {"STRONGROOM_WORKERS": "2" if proving else "1"}
    with running(tmp_path, settings) as server:
        with timed("seeding"):
            tenants = seed_in_bulk(terminal.environ, *(FULL_SIZE if proving else REDUCED_SIZE))
        for old, new in pairwise(roots):
            with at_work(server.url, tenants[:WRITERS]) as writers:
                wait_until(partial(have_called, writers, 1))
                move(server, terminal, old, new)
                wait_until(partial(have_called, writers, 11))
            assert astray(server.url, tenants[:WRITERS] + tenants[WRITERS::20]) == []
        server.stop()
        server.start()
        with timed("comparing every value"):
            assert astray(server.url, tenants) == []


def have_called(writers: Sequence[Writer], count: int) -> bool:
    """Return True if each has called so often, or failed; its end reports the failure."""
    return all(writer.calls >= count or writer.failure is not None for writer in writers)


def move(server: Strongroom, terminal: Terminal, old: Root, new: Root) -> None:
    """Follow the operator's documentation, and destroy the old root key.

    The processes that serve afterwards have never seen it.
    """
    directory = terminal.home.parent
    list_keys(directory, old.uri, new.uri)
    server.reload()
    list_keys(directory, new.uri, old.uri)
    server.reload()
    with timed(f"rewrapping for {new.uri.partition(':')[0]}"):
        assert terminal.json("keyring", "rewrap")["failed"] == 0
    for line in terminal.json("keyring", "status")["key_refs"]:
        if line["state"] == "stale":
            terminal.answer("keyring", "retire", line["key_ref"])
    list_keys(directory, new.uri)
    old.destroy()
    server.reload()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long a block took."""
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.1f} s")  # noqa: T201 - a figure, for -s
