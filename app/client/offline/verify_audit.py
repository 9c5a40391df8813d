"""Verify an export of Strongroom's audit log, with the public key alone.

One file that shares no code with the server. It needs Python 3.9 or later and, for the signatures,
the package ``cryptography``:

    python3 verify_audit.py EXPORT … --key KEY [--heads FILE]

EXPORT is what ``strongroom audit export`` wrote. KEY is the verifier key that ``strongroom audit
head`` printed, kept elsewhere ever since: the export names a key too, which proves nothing. FILE
has heads that left the host, as notes or as lines of the log. Each of them must be the root of the
log at its size. Exit code: 0 if all is right, 1 if not, 2 for wrong arguments or files.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVENT_COLUMNS = (
    "account_id:S id:S lane:I n:I at_ms:I actor:S issuers:S action:S outcome:S subjects:S "
    "details:S address:S request_id:S"
)
BLOCK_COLUMNS = (
    "account_id:S number:I leaf:I prev:B positions:S missing:S count:I root:B first_ms:I "
    "last_ms:I sealed_at_ms:I"
)
MAX_LINE = 1 << 20
HASH = 32
Record = Mapping[str, Any]
Spans = Sequence[Sequence[int]]


class Wrong(Exception):
    """Something is not as it was sealed; the message names the place."""


class Head(NamedTuple):
    """A verified head."""

    size: int
    root: bytes
    at: str


class Tree:
    """A tree of RFC 6962 that grows at its end; only the roots of its perfect subtrees are kept."""

    def __init__(self, size: int = 0, edge: bytes = b"") -> None:
        if size < 0 or len(edge) != bin(size).count("1") * HASH:  # noqa: FURB161 - Python 3.9
            raise Wrong("the edge does not fit the size")
        self.size = size
        self.edge = [edge[at : at + HASH] for at in range(0, len(edge), HASH)]

    def append(self, leaf: bytes) -> None:
        """Append a leaf by its hash."""
        size = self.size
        while size & 1:
            leaf = hashlib.sha256(b"\x01" + self.edge.pop() + leaf).digest()
            size >>= 1
        self.edge.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves."""
        if not self.edge:
            return hashlib.sha256(b"").digest()
        root = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


class Key:
    """A verifier key of C2SP: ``name+id+base64(01 | public key)``."""

    def __init__(self, text: str) -> None:
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            self.key_id = bytes.fromhex(key_id)
        except ValueError:
            raise Wrong("the key is no verifier key") from None
        digest = hashlib.sha256(name.encode() + b"\n" + raw).digest()
        if raw[:1] != b"\x01" or len(raw) != HASH + 1 or digest[:4] != self.key_id:
            raise Wrong("the key is no verifier key")
        self.name, self.text = name, text.strip()
        self._public = Ed25519PublicKey.from_public_bytes(raw[1:])

    def verify(self, note: str) -> Head:
        """Return the head that a note states, once its signature is verified."""
        text, _, signatures = note.rpartition("\n\n")
        if not any(self._signed(f"{text}\n", line) for line in signatures.split("\n")):
            raise Wrong("a head was not signed by this key")
        try:
            name, size, root, time = text.split("\n")
            head = Head(int(size), base64.b64decode(root, validate=True), time)
        except ValueError:
            raise Wrong("a head is no checkpoint") from None
        if name != self.name:
            raise Wrong("a head is of another log")
        return head

    def _signed(self, text: str, line: str) -> bool:
        start = f"\u2014 {self.name} "
        try:
            raw = base64.b64decode(line[len(start) :], validate=True)
            self._public.verify(raw[4:], text.encode())
        except (ValueError, InvalidSignature):
            return False
        return line.startswith(start) and raw[:4] == self.key_id


def leaf_of(table: str, columns: str, record: Record, mac: str) -> bytes:
    """The hash of a row: of what its MAC covers, and of the MAC."""
    tag = bytes.fromhex(mac)
    if len(tag) != HASH + 1 or tag[:1] != b"\x01":
        raise Wrong("its MAC is of another layout")
    kinds = [each.split(":") for each in columns.split()]
    if set(record) != {name for name, _ in kinds}:
        raise Wrong("it has other columns")
    parts = [tag[:1], _value(table)]
    parts += [_value(name) + _value(record[name], kind) for name, kind in kinds]
    return hashlib.sha256(b"\x00" + b"".join(parts) + tag).digest()


def _value(value: object, kind: str = "S") -> bytes:
    if value is None:
        return b"N"
    if kind == "I" and type(value) is int:
        return struct.pack(">cq", b"I", value)
    if kind == "I" or not isinstance(value, str):
        raise Wrong("a column has another type")
    data = bytes.fromhex(value) if kind == "B" else value.encode()
    return struct.pack(">cI", kind.encode(), len(data)) + data


class Block:
    """A block whose events are being read."""

    def __init__(self, record: Record, leaf: bytes) -> None:
        self.record = record
        self.leaf = leaf
        self.tree = Tree()
        self.spans = _spans(record["positions"])
        self.parts = (self.spans, _spans(record["missing"]))
        self.last = (-1, 0)

    def add(self, record: Record, leaf: bytes) -> None:
        """Add an event that is shown."""
        at = (record["lane"], record["n"])
        if record["account_id"] != self.record["account_id"] or at <= self.last:
            raise Wrong("the event is of another account, or out of order")
        inside = [any(e[0] == at[0] and e[1] <= at[1] <= e[2] for e in each) for each in self.parts]
        if inside != [True, False]:
            raise Wrong("the event's position is not one of its block")
        self.last = at
        self.tree.append(leaf)

    def end(self) -> None:
        """Compare the events with the block."""
        sealed, missing = (sum(last - first + 1 for _, first, last in p) for p in self.parts)
        if not self.tree.size == self.record["count"] == sealed - missing:
            raise Wrong("the block has another number of events")
        if self.tree.root().hex() != self.record["root"]:
            raise Wrong("the events are not those that were sealed")


def _spans(text: str) -> Spans:
    return [
        (int(lane), int(first), max(int(last), first - 1)) for lane, first, last in json.loads(text)
    ]


class Verification:
    """The export as it is read, line by line."""

    def __init__(self, key: Key, kept: Iterable[Head]) -> None:
        self.key = key
        self.kept = sorted(kept, key=lambda head: head.size)
        self.faults: list[str] = []
        self.tree = Tree()
        self.block: Block | None = None
        self.events = self.hidden = self.blocks = self.heads = self.proved = 0
        self.start: int | None = None
        self.has_ended = False
        self.chains: dict[str, tuple[int | None, str, Mapping[int, int]]] = {}

    def read(self, lines: Iterable[str]) -> None:
        """Read all lines; what is wrong is noted with the number of its line."""
        for number, line in enumerate(lines, 1):
            try:
                self._read(json.loads(line))
            except Wrong as error:
                self.faults.append(f"line {number}: {error}")
            except (KeyError, TypeError, ValueError, OverflowError, struct.error, RecursionError):
                self.faults.append(f"line {number}: it is no line of an export")
        self._end_of_file()

    def _read(self, line: Record) -> None:
        kind = line["type"]
        if self.start is None and kind != "export":
            raise Wrong("an export begins with another line")
        if kind.startswith("event"):
            if self.block is None:
                raise Wrong("the event is in no block")
            self._event(kind, line, self.block)
        else:
            self._end_block()
            self._between(kind, line)

    def _between(self, kind: str, line: Record) -> None:
        if kind == "block":
            self._begin_block(line)
        elif kind == "block_hash":
            self.tree.append(bytes.fromhex(line["hash"]))
            self._compare_kept()
        elif kind == "head":
            self._head(line["note"])
        elif kind == "export":
            self._begin(line)
        elif kind == "end":
            self.has_ended = True
            if line["size"] != self.tree.size:
                raise Wrong("the export ends at another size")
        else:
            raise Wrong("it is of an unknown type")

    def _begin(self, line: Record) -> None:
        if (line["format"], line["origin"], line["verifier_key"]) != (
            1,
            self.key.name,
            self.key.text,
        ):
            raise Wrong("the export is of another format, or of another log")
        tree = Tree(line["size"], bytes.fromhex(line["edge"]))
        if self.start is not None and (tree.size, tree.edge) != (self.tree.size, self.tree.edge):
            raise Wrong("this export does not continue the one before")
        if self.start is None:
            self.start = self.proved = tree.size
        self.tree, self.has_ended = tree, False
        self._compare_kept()

    def _begin_block(self, line: Record) -> None:
        """Begin a block, and compare it with the one of its account before, if that was shown."""
        record = line["record"]
        leaf = leaf_of("audit_blocks", BLOCK_COLUMNS, record, line["mac"])
        block = self.block = Block(record, leaf)
        ends = {lane: last for lane, _, last in block.spans}
        begins = {lane: first - 1 for lane, first, _ in block.spans}
        number, prev, before = self.chains.get(record["account_id"], (None, "", {}))
        self.chains[record["account_id"]] = (record["number"] + 1, leaf.hex(), ends)
        if record["leaf"] != self.tree.size:
            raise Wrong("the block is at another leaf")
        follows = record["prev"] == prev and {**dict.fromkeys(begins, 0), **before} == begins
        if record["number"] == number and not follows:
            raise Wrong("the block does not continue the one before")

    def _event(self, kind: str, line: Record, block: Block) -> None:
        if kind == "event_hash":
            block.tree.append(bytes.fromhex(line["hash"]))
            self.hidden += 1
            return
        self.events += 1
        record = line["record"]
        block.add(record, leaf_of("audit_events", EVENT_COLUMNS, record, line["mac"]))
        shown = {name: line[name] for name in line if name not in ("record", "mac")}
        if shown != {"type": "event", **ocsf(record)}:
            raise Wrong("what is shown differs from the record")

    def _end_block(self) -> None:
        block, self.block = self.block, None
        if block is None:
            return
        self.blocks += 1
        self.tree.append(block.leaf)
        self._compare_kept()
        block.end()

    def _head(self, note: str) -> None:
        head, tree = self.key.verify(note), self.tree
        if (head.size, head.root) != (tree.size, tree.root()):
            raise Wrong(f"the log of size {tree.size} is not what the head of {head.at} says")
        self.heads += 1
        self.proved = tree.size

    def _compare_kept(self) -> None:
        tree = self.tree
        while self.kept and self.kept[0].size <= tree.size:
            head = self.kept.pop(0)
            if head.size < tree.size:
                self.faults.append(f"the kept head of size {head.size} is from before this export")
            elif head.root != tree.root():
                self.faults.append(f"the log of size {head.size} is not what the kept head says")
            else:
                self.heads += 1
                self.proved = tree.size

    def _end_of_file(self) -> None:
        try:
            self._end_block()
        except Wrong as error:
            self.faults.append(f"the last block: {error}")
        for head in self.kept:
            self.faults.append(
                f"the kept head of size {head.size} is behind the end of this export"
            )
        if not self.has_ended:
            self.faults.append("the export is cut off: its last line is missing")
        if self.proved != self.tree.size:
            self.faults.append(f"no head proves leaves {self.proved} to {self.tree.size - 1}")


def ocsf(record: Record) -> Record:
    """The fields that an export shows of a record, in the names of OCSF."""
    subjects = [subject.partition("@") for subject in record["subjects"].split()]
    return {
        "class_uid": 6003,
        "category_uid": 6,
        "activity_id": 99,
        "activity_name": record["action"],
        "type_uid": 600399,
        "severity_id": 1,
        "status_id": 1 if record["outcome"] == "done" else 2,
        "time": record["at_ms"],
        "metadata": {"uid": record["id"], "version": "1.3.0", "product": {"name": "Strongroom"}},
        "actor": {"user": {"uid": record["actor"], "account": {"uid": record["account_id"]}}},
        "api": {"operation": record["action"], "request": {"uid": record["request_id"]}},
        "src_endpoint": {"ip": record["address"]},
        "resources": [{"uid": uid, "version": version or None} for uid, _, version in subjects],
    }


def notes_in(lines: Iterable[str]) -> Iterator[str]:
    """Yield the notes of a file of heads: notes one after another, or JSON lines of the log."""
    note = ""
    for line in lines:
        if line.startswith("{"):
            said = json.loads(line)
            if said.get("event") == "audit_head":
                yield said["detail"]
            continue
        if "\n\n" in note and not line.startswith("\u2014 "):
            yield note.lstrip()
            note = ""
        note += line
    if note.strip():
        yield note.lstrip()


def read(path: str) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        Wrong: A line is longer than any of an export.
    """
    with Path(path).open(encoding="utf-8") as file:
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise Wrong("a line is longer than any of an export")
            yield line


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("exports", nargs="+", metavar="EXPORT", help="in order, the oldest first")
    parser.add_argument("--key", required=True, help="the verifier key, as text")
    parser.add_argument("--heads", metavar="FILE", help="heads that were kept elsewhere")
    given = parser.parse_args(arguments)
    try:
        key = Key(given.key)
        notes = notes_in(read(given.heads)) if given.heads else ()
        done = Verification(key, map(key.verify, notes))
        done.read(line for path in given.exports for line in read(path))
    except (OSError, ValueError, KeyError, Wrong) as error:
        is_ours = isinstance(error, Wrong)
        sys.stderr.write(f"wrong: {error if is_ours else type(error).__name__}\n")
        return 1 if is_ours else 2
    for fault in done.faults[:100]:
        sys.stderr.write(f"wrong: {fault}\n")
    sys.stdout.write(
        f"{done.events} events and {done.hidden} hashes of events in {done.blocks} blocks, "
        f"leaves {done.start or 0} to {done.tree.size}, {done.heads} heads: "
        f"{f'{len(done.faults)} faults' if done.faults else 'right'}\n"
    )
    return 1 if done.faults else 0


if __name__ == "__main__":
    sys.exit(main())
