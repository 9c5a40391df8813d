"""Heads are signed notes and checkpoints of C2SP, which the public key alone verifies."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.crypto.log_heads import HeadSigner, HeadVerifier
from app.domain.audit.checkpoints import Checkpoint, NotACheckpoint, SignedNote, key_id
from backends.context import KeyContext
from backends.data_key import DataKey

VECTOR = json.loads(
    (Path(__file__).parents[3] / "vectors" / "audit-head-v1.json").read_text(encoding="utf-8")
)
CONTEXT = KeyContext(VECTOR["deployment_id"], VECTOR["account_id"], VECTOR["data_key_id"])
SIGNER = HeadSigner.of(DataKey(bytes.fromhex(VECTOR["data_key"])), CONTEXT)
NOTE = VECTOR["note"]
HEAD = Checkpoint("strongroom/dep_0123456789ABCDEFGHIJKL", 4711, bytes(range(32)), VECTOR["at_ms"])

# The example of https://pkg.go.dev/golang.org/x/mod/sumdb/note, signed by that package.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""  # noqa: E501


def test_the_released_head_is_written_again_byte_for_byte() -> None:
    assert SIGNER.sign(4711, HEAD.root, HEAD.at_ms) == NOTE


def test_the_released_head_verifies_by_the_text_of_its_public_key_alone() -> None:
    _verify_by_the_standard(NOTE, VECTOR["verifier_key"])


def test_the_public_key_is_printed_as_a_verifier_key_of_c2sp() -> None:
    assert SIGNER.verifier.text == VECTOR["verifier_key"]


def test_a_verified_note_says_what_was_signed() -> None:
    assert SIGNER.verifier.verify(NOTE) == HEAD


def test_signatures_of_others_may_stand_beside_ours() -> None:
    witness = HeadSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), "witness.example")
    theirs = SignedNote.from_text(witness.sign(1, bytes(32), 0)).signatures
    ours = SignedNote.from_text(NOTE)
    note = SignedNote(ours.text, theirs + ours.signatures).to_text()

    assert SIGNER.verifier.verify(note) == HEAD


def test_a_note_of_go_is_read_as_go_wrote_it() -> None:
    signed = SignedNote.from_text(GO_NOTE)
    (name, its_key_id, signature) = signed.signatures[0]
    public_key = base64.b64decode(GO_KEY.split("+")[2])[1:]

    assert (name, its_key_id) == ("PeterNeumann", key_id("PeterNeumann", public_key))
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed.text.encode())


@pytest.mark.parametrize("place", range(0, len(NOTE.encode()), 7))
def test_a_changed_byte_is_refused(place: int) -> None:
    changed = bytearray(NOTE.encode())
    changed[place] ^= 1

    with pytest.raises(NotACheckpoint):
        SIGNER.verifier.verify(changed.decode(errors="replace"))


def test_a_head_of_another_key_of_the_same_name_is_refused() -> None:
    other = HeadSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), HEAD.origin)

    with pytest.raises(NotACheckpoint):
        SIGNER.verifier.verify(other.sign(4711, HEAD.root, HEAD.at_ms))


def test_a_head_of_another_log_signed_by_the_same_key_is_refused() -> None:
    text = Checkpoint("strongroom/dep_other", 4711, HEAD.root, HEAD.at_ms).text
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    verifier = HeadVerifier(HEAD.origin, key.public_key().public_bytes_raw())
    named = (HEAD.origin, key_id(HEAD.origin, verifier.public_key), key.sign(text.encode()))

    with pytest.raises(NotACheckpoint):
        verifier.verify(SignedNote(text, (named,)).to_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "strongroom/dep_1\n1\n",
        HEAD.text + "more\n",
        HEAD.text.replace("4711", "04711"),
        HEAD.text.replace("4711", "-1"),
        HEAD.text.replace("4711", "٤"),
        HEAD.text.replace("time ", ""),
        HEAD.text.replace(".123Z", "Z"),
        HEAD.text.replace("=", ""),
        HEAD.text.replace("2026-11", "2026-13"),
    ],
    ids=range(10),
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NotACheckpoint):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        HEAD.text,
        HEAD.text + "\n",
        NOTE[:-1],
        NOTE.replace("— ", "- "),
        NOTE.replace("\n\n", "\n"),
        NOTE + "x" * 5000 + "\n",
    ],
    ids=range(8),
)
def test_a_text_that_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NotACheckpoint):
        SIGNER.verifier.verify(note)


def _verify_by_the_standard(note: str, verifier_key: str) -> None:
    """Verify a note by the words of C2SP, without the product."""
    name, shown_id, encoded = verifier_key.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert sha256(name.encode() + b"\n" + key).digest()[:4].hex() == shown_id
    text, signature_line = note.rsplit("\n\n", 1)
    assert signature_line.startswith(f"— {name} ")
    signature = base64.b64decode(signature_line.split(" ")[2])
    assert signature[:4].hex() == shown_id
    try:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], f"{text}\n".encode())
    except InvalidSignature:
        pytest.fail("the signature is not of this key")
