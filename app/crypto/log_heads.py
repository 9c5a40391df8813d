"""The signatures under heads of the log: Ed25519, by a key of the system data key.

The public key alone verifies, so whoever keeps heads elsewhere needs nothing of the deployment.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.domain.audit.checkpoints import (
    Checkpoint,
    NotACheckpoint,
    SignedNote,
    key_id,
    origin_of,
    verifier_key,
)
from backends.context import KeyContext
from backends.data_key import DataKey, derive

_SEED_LABEL = b"strongroom/v1/audit-head|"


@dataclass(frozen=True, slots=True)
class HeadVerifier:
    """Verifies the heads of one log.

    Args:
        origin: The name of the log, and of its key.
        public_key: 32 bytes of Ed25519.
    """

    origin: str
    public_key: bytes

    @property
    def text(self) -> str:
        """The public key in the format of C2SP's verifier keys."""
        return verifier_key(self.origin, self.public_key)

    def verify(self, note: str) -> Checkpoint:
        """Return what a note says once its signature is verified.

        Raises:
            NotACheckpoint: It is no note, of another log, or not signed by this key.
        """
        signed = SignedNote.from_text(note)
        by_us = (self.origin, key_id(self.origin, self.public_key))
        public_key = Ed25519PublicKey.from_public_bytes(self.public_key)
        for name, its_key_id, signature in signed.signatures:
            if (name, its_key_id) != by_us:
                continue
            try:
                public_key.verify(signature, signed.text.encode())
            except InvalidSignature:
                break
            checkpoint = Checkpoint.parse(signed.text)
            if checkpoint.origin == self.origin:
                return checkpoint
        raise NotACheckpoint


class HeadSigner:
    """Signs the heads of one deployment's log."""

    def __init__(self, key: Ed25519PrivateKey, origin: str) -> None:
        self._key = key
        self.verifier = HeadVerifier(origin, key.public_key().public_bytes_raw())

    @classmethod
    def of(cls, key: DataKey, context: KeyContext) -> Self:
        """The signer of the deployment whose system data key this is."""
        seed = derive(key, _SEED_LABEL, context.to_bytes())
        return cls(Ed25519PrivateKey.from_private_bytes(seed), origin_of(context.deployment_id))

    def sign(self, size: int, root: bytes, at_ms: int) -> str:
        """Sign a head. Returns the note."""
        ours = self.verifier
        text = Checkpoint(ours.origin, size, root, at_ms).text
        signature = self._key.sign(text.encode())
        name = (ours.origin, key_id(ours.origin, ours.public_key), signature)
        return SignedNote(text, (name,)).to_text()
