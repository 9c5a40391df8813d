"""Sealing puts each event into exactly one block, and every block under a signed head."""

from app.domain.audit.tree import GrowingTree
from tests.support.audit_trail import Trail
from tests.support.databases import Rows


def test_every_committed_event_is_sealed_once(trail: Trail, rows: Rows) -> None:
    for account in ("acct_a", "acct_b"):
        trail.record(account, "sec_1@1", times=3)
    trail.sealer.seal()
    trail.record("acct_a", times=2)
    trail.sealer.seal()

    blocks = rows.all("audit_blocks")
    assert sum(block["count"] for block in blocks if block["account_id"] == "acct_a") == 5
    assert sum(block["count"] for block in blocks if block["account_id"] == "acct_b") == 3


def test_a_head_is_the_root_over_all_blocks(trail: Trail, rows: Rows) -> None:
    trail.record("acct_a", times=3)
    trail.sealer.seal()
    trail.record("acct_b", times=3)
    trail.sealer.seal()

    newest = max(rows.all("audit_heads"), key=lambda head: head["size"])
    assert newest["size"] == len(rows.all("audit_blocks"))
    assert GrowingTree(newest["size"], newest["edge"]).root == newest["root"]


def test_nothing_is_written_where_nothing_waits(trail: Trail, rows: Rows) -> None:
    trail.record("acct_a")
    trail.sealer.seal()

    assert trail.sealer.seal() == 0
    assert len(rows.all("audit_heads")) == 1
