"""Envelopes, version 1: the sealed bytes of one value.

::

    header          = version u8 | suite u8 | salt[32] | commitment[32]
    info            = label | version | suite | context
    key, commitment = HKDF-SHA-512(data key, salt, info), 32 bytes each
    envelope        = header | AES-256-GCM(key, nonce = 12 zero bytes, pad(plaintext), aad = header)
    pad(plaintext)  = u32-BE length | plaintext | zeros to a power of two, at least 256

A record key seals once, so its nonce may be constant. The commitment is compared first:
AES-GCM alone lets one ciphertext open under two keys. The format is released: ``tests/vectors``
holds envelopes that must open for ever.
"""

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.crypto.record_keys import RecordKeys
from backends.data_key import DataKey
from backends.errors import DecryptionError

VERSION = 1
SUITE_HKDF_SHA512_AES256GCM = 1

_PREFIX = bytes([VERSION, SUITE_HKDF_SHA512_AES256GCM])
_INFO = b"strongroom/v1/envelope" + _PREFIX
_SALT_BYTES = 32
_RECORD_KEY_BYTES = 32
_COMMITMENT_BYTES = 32
_DERIVED_BYTES = _RECORD_KEY_BYTES + _COMMITMENT_BYTES
_HEADER_BYTES = len(_PREFIX) + _SALT_BYTES + _COMMITMENT_BYTES
_SALT = slice(len(_PREFIX), len(_PREFIX) + _SALT_BYTES)
_COMMITMENT = slice(len(_PREFIX) + _SALT_BYTES, _HEADER_BYTES)
_TAG_BYTES = 16
_NONCE = bytes(12)
_SHA512 = SHA512()
_LENGTH = struct.Struct(">I")
_SMALLEST_PAD = 256
_LARGEST_PAD = 2**24
_PADDED_SIZES = frozenset(2**n for n in range(8, 25))


def seal(key: DataKey, plaintext: bytes, context: bytes) -> bytes:
    """Seal ``plaintext`` (under 16 MiB) so that it opens only under this key and context."""
    return _seal(key, plaintext, context, os.urandom(_SALT_BYTES))


def open_envelope(
    key: DataKey, envelope: bytes, context: bytes, record_keys: RecordKeys | None = None
) -> memoryview:
    """The plaintext of ``envelope``, for the caller to wipe: there is no other copy of it.

    Args:
        record_keys: Those derived from ``key`` before; a new one is added.

    Raises:
        DecryptionError: Any byte differs from what was sealed, or the key or the context does.
    """
    padded_bytes = len(envelope) - _HEADER_BYTES - _TAG_BYTES
    if padded_bytes not in _PADDED_SIZES:
        raise DecryptionError
    header = envelope[:_HEADER_BYTES]
    cipher = None if record_keys is None else record_keys.find(header + context)
    if cipher is None:
        cipher = _derive_verified(key, header, context)
        if record_keys is not None:
            record_keys.add(header + context, cipher)
    padded = bytearray(padded_bytes)
    try:
        cipher.decrypt_into(_NONCE, envelope[_HEADER_BYTES:], header, padded)
        return memoryview(padded)[_LENGTH.size : _end(padded)]
    except (InvalidTag, DecryptionError):
        padded[:] = bytes(padded_bytes)
        raise DecryptionError from None


def _derive_verified(key: DataKey, header: bytes, context: bytes) -> AESGCM:
    """The record key that the header commits to, as a cipher."""
    if not header.startswith(_PREFIX):
        raise DecryptionError
    cipher, commitment = _derive(key, header[_SALT], context)
    if not constant_time.bytes_eq(commitment, header[_COMMITMENT]):
        raise DecryptionError
    return cipher


def _seal(key: DataKey, plaintext: bytes, context: bytes, salt: bytes) -> bytes:
    cipher, commitment = _derive(key, salt, context)
    header = _PREFIX + salt + commitment
    return header + cipher.encrypt(_NONCE, _pad(plaintext), header)


def _derive(key: DataKey, salt: bytes, context: bytes) -> tuple[AESGCM, bytes]:
    """The record key, as a cipher that does not show it, and the commitment."""
    derived = HKDF(_SHA512, _DERIVED_BYTES, salt, _INFO + context).derive(key)
    return AESGCM(derived[:_RECORD_KEY_BYTES]), derived[_RECORD_KEY_BYTES:]


def _pad(plaintext: bytes) -> bytes:
    used = _LENGTH.size + len(plaintext)
    size = max(_SMALLEST_PAD, 1 << (used - 1).bit_length())
    if size > _LARGEST_PAD:
        raise ValueError("the plaintext is too long for an envelope")
    return _LENGTH.pack(len(plaintext)) + plaintext + bytes(size - used)


def _end(padded: bytearray) -> int:
    """Return the end of the plaintext in the padded text."""
    (length,) = _LENGTH.unpack_from(padded)
    end, size = _LENGTH.size + length, len(padded)
    fits_best = size // 2 < end <= size or end <= size == _SMALLEST_PAD
    if not fits_best or not padded.endswith(bytes(size - end)):
        raise DecryptionError
    return int(end)
