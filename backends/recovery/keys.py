"""Recovery key pairs: the public half wraps data keys for escrow, the private half opens them.

A wrapping is a suite byte and a ciphertext of HPKE (RFC 9180) in base mode, one shot, whose
``info`` is the context of the data key. Suite 1 is the hybrid KEM MLKEM768-X25519 with
HKDF-SHA-256 and AES-256-GCM: 1 + 1120 + 48 bytes.
"""

from typing import Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyProviderConfigError, UnknownKey
from backends.provider import WrappedKey

SCHEME = "recovery"
SUITE = 1

_HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM_PUBLIC_BYTES = 1184
_MLKEM_SEED_BYTES = 64
_FINGERPRINT_LABEL = b"strongroom/v1/recovery/fingerprint"
_FINGERPRINT_BYTES = 16


class NoHybridKem(KeyProviderConfigError):
    """No recovery key can be used here, as in a FIPS mode."""

    def __init__(self) -> None:
        super().__init__("this build of OpenSSL has no ML-KEM-768 or no X25519.")


class RecoveryPublicKey:
    """Wraps data keys; a server has no more than this.

    Args:
        raw: An ML-KEM-768 encapsulation key (1184 bytes) and an X25519 public key (32 bytes).

    Raises:
        ValueError: These are no such keys.
        NoHybridKem: Such keys cannot be used here.
    """

    def __init__(self, raw: bytes) -> None:
        try:
            self._public = MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES]),
                X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:]),
            )
            _HPKE.encrypt(b"", self._public)  # a point of low order is refused only in use
        except UnsupportedAlgorithm:
            raise NoHybridKem from None
        self.raw = raw
        self.key_ref = f"{SCHEME}:{_fingerprint(raw)}"

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap ``key`` so that only the private half opens it, and only under ``context``."""
        ciphertext = _HPKE.encrypt(key, self._public, context.to_bytes())
        return WrappedKey(SCHEME, self.key_ref, bytes([SUITE]) + ciphertext)


class RecoveryPrivateKey:
    """Opens what the public half wrapped. It stays offline.

    Args:
        seeds: An ML-KEM-768 seed (64 bytes) and an X25519 private key (32 bytes).

    Raises:
        ValueError: They are not of these lengths.
    """

    def __init__(self, seeds: bytes) -> None:
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(seeds[:_MLKEM_SEED_BYTES])
        self._x25519 = X25519PrivateKey.from_private_bytes(seeds[_MLKEM_SEED_BYTES:])
        self.public_key = RecoveryPublicKey(
            self._mlkem.public_key().public_bytes_raw()
            + self._x25519.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> Self:
        """A new pair from the system's random source."""
        try:
            mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        except UnsupportedAlgorithm:
            raise NoHybridKem from None
        return cls(mlkem.private_bytes_raw() + x25519.private_bytes_raw())

    def seeds(self) -> bytes:
        """The seeds that this key is built from, for the private key file and nothing else."""
        return self._mlkem.private_bytes_raw() + self._x25519.private_bytes_raw()

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open a wrapping.

        Raises:
            UnknownKey: It was made for another recovery key.
            DecryptionError: Tampered with, another context or another key.
        """
        if wrapped.key_ref != self.public_key.key_ref:
            raise UnknownKey("The wrapping was made for another recovery key.")
        if wrapped.blob[:1] != bytes([SUITE]):
            raise DecryptionError
        private = MLKEM768X25519PrivateKey(self._mlkem, self._x25519)
        try:
            return DataKey(_HPKE.decrypt(wrapped.blob[1:], private, context.to_bytes()))
        except InvalidTag:
            raise DecryptionError from None


def _fingerprint(raw: bytes) -> str:
    digest = Hash(SHA256())
    digest.update(_FINGERPRINT_LABEL + bytes([SUITE]) + raw)
    return digest.finalize()[:_FINGERPRINT_BYTES].hex()
