"""The leader of the database fails while clients write: nothing is lost, nothing is done twice.

Three PostgreSQL servers replicate synchronously under Patroni. Two nodes of ours serve both
official clients, which repeat requests as they are shipped. No request fails.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable
from secrets import token_hex

import pytest

from tests.cluster.load import Load, load
from tests.support.javascript import JavaScript
from tests.support.patroni import PatroniCluster
from tests.support.strongroom import Strongroom

_BEFORE = 3
_AFTER = 3

Fault = Callable[[PatroniCluster, Load], None]


def postmaster_killed(cluster: PatroniCluster, writing: Load) -> None:
    """PostgreSQL of the leader dies; its machine and Patroni live."""
    leader = cluster.get_leader()
    leader.send(signal.SIGKILL, leader.postgresql()[:1])
    cluster.wait_for_another_leader(leader)
    writing.wait_for_each(_AFTER)


FAULTS: list[Fault] = [postmaster_killed]


@pytest.mark.timeout(4800)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_request_fails(
    fault: Fault,
    cluster: PatroniCluster,
    nodes: list[Strongroom],
    javascript: JavaScript,
    proving: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(10 if proving else 1):
        cluster.wait_until_healthy()
        prefix = f"T{token_hex(4)}".upper()
        urls = [node.url for node in nodes]
        with load(javascript, urls, nodes[0].api_key, prefix) as writing:
            writing.wait_for_each(_BEFORE)
            began = time.monotonic()
            fault(cluster, writing)
        with capsys.disabled():
            print(f"\n{fault.__name__}: {figures(writing, began)}")  # noqa: T201 - for the docs
        assert writing.failures == []
        assert_each_write_is_there_once(cluster, writing, prefix)


def figures(writing: Load, began: float) -> str:
    """The figures of ``docs/scaling.md``."""
    retries = writing.retries
    return (
        f"{len(writing.responses)} requests, longest gap {writing.longest_gap(began):.1f} s, "
        f"{len(retries)} repeated, at most {max(retries, default=0)} times"
    )


def assert_each_write_is_there_once(cluster: PatroniCluster, writing: Load, prefix: str) -> None:
    """Compare the database with what clients were told."""
    named = f"WHERE name LIKE '{prefix}%'"
    secrets = dict(cluster.execute(f"SELECT name, version FROM secrets {named}"))
    made = writing.acknowledged("create") + writing.acknowledged("race")
    assert secrets == made + writing.acknowledged("update")
    keys = cluster.execute(f"SELECT name FROM api_keys {named}")
    assert Counter(name for (name,) in keys) == writing.acknowledged("api key")
    used = cluster.execute(
        f"SELECT id FROM injections WHERE state = 'redeemed' AND secrets LIKE '%{prefix}%'"
    )
    assert Counter(name for (name,) in used) == writing.acknowledged("redemption")
