"""One ciphertext, one plaintext: a forgery that AES-GCM takes under two keys is refused.

GCM's tag is linear in the ciphertext, so who knows two keys can choose one block of a ciphertext
such that both give it the same tag. An envelope's commitment names one data key.
"""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.envelope import open_envelope
from backends.errors import DecryptionError
from tests.backends.spelled_out import (
    BLOCK,
    counter_block,
    gcm_crypt,
    gcm_tag,
    gf_inverse,
    gf_multiply,
    gf_power,
    ghash,
    ghash_blocks,
    hash_key,
    hkdf,
)

HEADER = 66
NONCE = bytes(12)
CONTEXT = KeyContext("dep_1", "acc_1", "dk_1").to_bytes()
FIRST, SECOND = DataKey(b"\x01" * 32), DataKey(b"\x02" * 32)
SALT = bytes(range(32))
VALUE = b"the value that the forger shows to the first " * 5 + b"holder of a key, ... and 16 free"


def record_key_and_commitment(key: DataKey, context: bytes, salt: bytes) -> tuple[bytes, bytes]:
    info = b"strongroom/v1/envelope" + b"\x01\x01" + context
    derived = hkdf("sha512", key, salt, info, 64)
    return derived[:32], derived[32:]


def forge(first: DataKey, second: DataKey, context: bytes, salt: bytes) -> bytes:
    """An envelope of the first key whose ciphertext and tag are also right under the second."""
    keys = [record_key_and_commitment(key, context, salt)[0] for key in (first, second)]
    header = b"\x01\x01" + salt + record_key_and_commitment(first, context, salt)[1]
    padded = (252).to_bytes(4) + VALUE[:236] + bytes(BLOCK)
    fixed = gcm_crypt(keys[0], NONCE, padded)[:-BLOCK]
    ciphertext = fixed + _colliding_block(keys, header, fixed + bytes(BLOCK))
    return header + ciphertext + gcm_tag(keys[0], NONCE, header, ciphertext)


def _colliding_block(keys: list[bytes], header: bytes, ciphertext: bytes) -> bytes:
    """The last block of ``ciphertext``, zero so far, that makes the tags of both keys equal."""
    difference, weight = 0, 0
    for key in keys:
        h = hash_key(key)
        difference ^= ghash(h, ghash_blocks(header, ciphertext))
        difference ^= int.from_bytes(counter_block(key, NONCE, 1))
        weight ^= gf_power(h, 2)  # the last block of the ciphertext stands before the lengths
    return gf_multiply(difference, gf_inverse(weight)).to_bytes(BLOCK)


@pytest.fixture(scope="module")
def forged() -> bytes:
    return forge(FIRST, SECOND, CONTEXT, SALT)


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_plain_aes_gcm_opens_the_forgery_under_both_keys(forged: bytes, key: DataKey) -> None:
    record_key, _ = record_key_and_commitment(key, CONTEXT, SALT)
    opened = AESGCM(record_key).decrypt(NONCE, forged[HEADER:], forged[:HEADER])
    assert len(opened) == 256


def test_the_forgery_is_an_envelope_of_the_first_key(forged: bytes) -> None:
    assert open_envelope(FIRST, forged, CONTEXT).startswith(b"the value that the forger shows")


def test_the_forgery_is_refused_under_the_second_key(forged: bytes) -> None:
    with pytest.raises(DecryptionError):
        open_envelope(SECOND, forged, CONTEXT)


def test_committing_to_the_second_key_instead_opens_under_neither(forged: bytes) -> None:
    _, commitment = record_key_and_commitment(SECOND, CONTEXT, SALT)
    recommitted = forged[:34] + commitment + forged[HEADER:]
    for key in (FIRST, SECOND):
        with pytest.raises(DecryptionError):
            open_envelope(key, recommitted, CONTEXT)
