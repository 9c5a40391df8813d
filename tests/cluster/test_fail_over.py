"""The leader of the database fails while clients write: nothing is lost, nothing is done twice.

Three PostgreSQL servers replicate synchronously under Patroni. Two nodes of ours serve both
official clients, which repeat requests as they are shipped. No request fails.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from secrets import token_hex

import pytest
import requests

from tests.cluster.load import Load, assert_each_write_is_there_once, load
from tests.support.javascript import JavaScript
from tests.support.patroni import Node, PatroniCluster
from tests.support.strongroom import Strongroom

_BEFORE = 3
_AFTER = 3
_ANSWERED_SECONDS = 10.0
_TIMEOUT_SECONDS = 60

Fault = Callable[[PatroniCluster, Load], None]


def postmaster_killed(cluster: PatroniCluster, writing: Load) -> None:
    """PostgreSQL of the leader dies; its machine and Patroni live."""
    leader = cluster.get_leader()
    leader.send(signal.SIGKILL, leader.postgresql()[:1])
    cluster.wait_for_another_leader(leader)
    writing.wait_for_each(_AFTER)


def switchover(cluster: PatroniCluster, writing: Load) -> None:
    """An operator makes another server the leader."""
    cluster.switch_over()
    writing.wait_for_each(_AFTER)


def machine_killed(cluster: PatroniCluster, writing: Load) -> None:
    """The leader's machine loses its power."""
    leader = cluster.get_leader()
    cluster.kill(leader)
    try:
        cluster.wait_for_another_leader(leader)
        writing.wait_for_each(_AFTER)
    finally:
        cluster.start_patroni(leader)


def machine_frozen(cluster: PatroniCluster, writing: Load) -> None:
    """The leader's machine stands still, with every connection open, and goes on later."""
    leader = cluster.get_leader()
    _lose_for_a_while(cluster, writing, leader, leader.frozen(leader.processes()))


def network_cut(cluster: PatroniCluster, writing: Load) -> None:
    """Nothing reaches the leader's machine, and it reaches nothing."""
    cluster.network.require_cuts()
    leader = cluster.get_leader()
    _lose_for_a_while(cluster, writing, leader, cluster.network.unplugged(leader.machine))


def leader_isolated(cluster: PatroniCluster, writing: Load) -> None:
    """The leader loses the other servers and etcd, but all our nodes still reach it."""
    cluster.network.require_cuts()
    leader = cluster.get_leader()
    _lose_for_a_while(cluster, writing, leader, cluster.network.isolated(leader.machine))


def _lose_for_a_while(
    cluster: PatroniCluster,
    writing: Load,
    leader: Node,
    lost: AbstractContextManager[object],
) -> None:
    """Wait for another leader while the fault lasts, and for the old one as a replica after it."""
    with lost:
        cluster.wait_for_another_leader(leader)
        writing.wait_for_each(_AFTER)
    cluster.wait_until_healthy()  # clients write meanwhile
    writing.wait_for_each(_AFTER)


FAULTS: list[Fault] = [
    postmaster_killed,
    switchover,
    machine_killed,
    machine_frozen,
    network_cut,
    leader_isolated,
]


class Scene:
    """The cluster, our nodes, and clients that write while something fails."""

    def __init__(
        self,
        cluster: PatroniCluster,
        nodes: list[Strongroom],
        javascript: JavaScript,
        show: Callable[[str], None],
    ) -> None:
        self.cluster = cluster
        self.nodes = nodes
        self._javascript = javascript
        self._show = show

    @contextmanager
    def writing(self) -> Iterator[Load]:
        """Write until the block ends; then compare the database with the responses."""
        self.cluster.wait_until_healthy()
        prefix = f"T{token_hex(4)}".upper()
        urls = [node.url for node in self.nodes]
        with load(self._javascript, urls, self.nodes[0].api_key, prefix) as writing:
            writing.wait_for_each(_BEFORE)
            began = time.monotonic()
            yield writing
        self._show(figures(writing, began))
        assert writing.failures == []
        assert_each_write_is_there_once(self.cluster.execute, writing, prefix)


@pytest.fixture
def scene(
    cluster: PatroniCluster,
    nodes: list[Strongroom],
    javascript: JavaScript,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> Scene:
    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}")  # noqa: T201 - figures for the docs

    return Scene(cluster, nodes, javascript, show)


@pytest.mark.timeout(4800)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_request_fails_and_no_write_is_lost(
    fault: Fault, scene: Scene, *, proving: bool
) -> None:
    for _ in range(10 if proving else 1):
        with scene.writing() as writing:
            fault(scene.cluster, writing)


@pytest.mark.timeout(4800)
def test_a_frozen_server_is_answered_for_within_ten_seconds(scene: Scene, *, proving: bool) -> None:
    for _ in range(10 if proving else 1):
        with scene.writing() as writing:
            leader = scene.cluster.get_leader()
            with leader.frozen(leader.postgresql()):
                for node in scene.nodes:
                    assert_refused_in_time(node)
                    assert requests.get(f"{node.url}/healthz", timeout=_TIMEOUT_SECONDS).ok
            writing.wait_for_each(_AFTER)


def assert_refused_in_time(node: Strongroom) -> None:
    """Send one request without any retry."""
    headers = {"Authorization": f"Bearer {node.api_key}"}
    body = {"name": f"F{token_hex(8)}".upper(), "value": "a value"}
    refused = requests.post(
        f"{node.url}/v1/secrets", json=body, headers=headers, timeout=_TIMEOUT_SECONDS
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
    assert refused.elapsed.total_seconds() < _ANSWERED_SECONDS


def figures(writing: Load, began: float) -> str:
    """The figures of ``docs/scaling.md``."""
    retries = writing.retries
    return (
        f"{len(writing.responses)} requests, longest gap {writing.longest_gap(began):.1f} s, "
        f"{len(retries)} repeated, at most {max(retries, default=0)} times"
    )
