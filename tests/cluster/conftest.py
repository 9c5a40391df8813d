"""Three database servers under Patroni, and two nodes of ours.

They run for one module, not for a session: a worker of a long run would keep them to its end.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.javascript import JavaScript
from tests.support.patroni import PatroniCluster, patroni_cluster
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatroniCluster]:
    with patroni_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def nodes(
    cluster: PatroniCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Strongroom]]:
    """Two nodes on the cluster, with copies of one key file."""
    directory = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        nodes = [_node(directory / name, cluster.url) for name in ("first", "second")]
        nodes[0].command("init")
        shutil.copytree(nodes[0].home, nodes[1].home)
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        yield nodes


def _node(directory: Path, database: str) -> Strongroom:
    directory.mkdir()
    home = directory / "home"
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - as of every server of the tests
        "STRONGROOM_HOME": str(home),
        "STRONGROOM_DATABASE_URL": database,
        "PORT": str(free_port()),
    }
    return Strongroom(home, environment, directory / "server.log")


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> JavaScript:
    return JavaScript(tmp_path_factory.mktemp("javascript"))
