"""Heads of the log as texts that anybody can keep and verify: signed checkpoints of C2SP.

A checkpoint (https://c2sp.org/tlog-checkpoint) is a signed note (https://c2sp.org/signed-note):

    strongroom/dep_0123456789ABCDEFGHIJKL        the origin, which is the name of the key as well
    4711                                         the number of leaves
    Y2hlY2twb2ludCBvZiBhIGxvZyB3aXRoIDMyIGJ5dA== the root, in base64
    time 2026-11-26T20:15:00.000Z                when it was signed

    — strongroom/dep_0123456789ABCDEFGHIJKL Az3gs…

The signature covers the text up to the empty line, without it. In front of the 64 bytes of Ed25519
stand four bytes that identify the key.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Self

from app.domain.audit.tree import HASH_BYTES

MAX_NOTE_BYTES = 4096
"""More than a note of ours with the signatures of several witnesses takes."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_ORIGIN = "strongroom/"
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_TIME = "time "
_SIGNATURE = "\N{EM DASH} "
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_WHEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_LINES = 4


class NotACheckpoint(ValueError):
    """The text is not a checkpoint of a Strongroom."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The body of a note: what the log was at one moment.

    Attributes:
        origin: The name of the log.
        size: The number of its leaves.
        root: The root over them.
        at_ms: When it was signed, in Unix milliseconds.
    """

    origin: str
    size: int
    root: bytes
    at_ms: int

    @property
    def text(self) -> str:
        """The text that is signed."""
        root = b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{_TIME}{_moment(self.at_ms)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse such a text, in exactly the form in which ``text`` writes it.

        Raises:
            NotACheckpoint: It is none.
        """
        lines = text.split("\n")
        if len(lines) != _LINES + 1 or not _SIZE.fullmatch(lines[1]):
            raise NotACheckpoint
        origin, size, root, when, _ = lines
        try:
            parsed = cls(origin, int(size), b64decode(root, validate=True), _unix_ms(when))
        except ValueError:
            parsed = None
        if parsed is None or len(parsed.root) != HASH_BYTES or parsed.text != text:
            raise NotACheckpoint
        return parsed


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note as it is stored and sent.

    Attributes:
        text: The text that is signed.
        signatures: The name of the key, its id and the signature of each line, in order.
    """

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def to_text(self) -> str:
        """The whole note."""
        lines = [
            f"{_SIGNATURE}{name} {b64encode(key_id + signature).decode()}\n"
            for name, key_id, signature in self.signatures
        ]
        return "\n".join((self.text, "".join(lines)))

    @classmethod
    def from_text(cls, note: str) -> Self:
        """Parse a note.

        Raises:
            NotACheckpoint: It is none.
        """
        text, separator, signatures = note.rpartition("\n\n")
        if not separator or not signatures.endswith("\n") or len(note) > MAX_NOTE_BYTES:
            raise NotACheckpoint
        return cls(text + "\n", tuple(map(_signature, signatures.splitlines())))


def origin_of(deployment_id: str) -> str:
    """The name of a deployment's log, and of the key that signs its heads."""
    return f"{_ORIGIN}{deployment_id}"


def key_id(origin: str, public_key: bytes) -> bytes:
    """The four bytes by which signatures name their key."""
    return sha256(origin.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(origin: str, public_key: bytes) -> str:
    """The public key as a text, with the name of the log."""
    encoded = b64encode(_ED25519 + public_key).decode()
    return f"{origin}+{key_id(origin, public_key).hex()}+{encoded}"


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    try:
        decoded = b64decode(encoded, validate=True)
    except Base64Error:
        decoded = b""
    if not line.startswith(_SIGNATURE) or not name or len(decoded) <= _KEY_ID_BYTES:
        raise NotACheckpoint
    return name, decoded[:_KEY_ID_BYTES], decoded[_KEY_ID_BYTES:]


def _moment(unix_ms: int) -> str:
    when = _EPOCH + timedelta(milliseconds=unix_ms)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{unix_ms % 1000:03d}Z"


def _unix_ms(line: str) -> int:
    when = line.removeprefix(_TIME)
    if not line.startswith(_TIME) or not _WHEN.fullmatch(when):
        raise NotACheckpoint
    return (datetime.fromisoformat(when) - _EPOCH) // timedelta(milliseconds=1)
