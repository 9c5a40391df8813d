"""One ciphertext, one plaintext: a forgery that AES-GCM takes under two keys is refused.

GCM's tag is linear in the ciphertext, so who knows two keys can choose one block of a ciphertext
such that both give it the same tag. An envelope's commitment names one data key, and is all that
refuses this one: even the padding is right under both keys.
"""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.crypto.envelope import open_envelope
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError
from tests.unit.backends.spelled_out import (
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
    xor,
)

HEADER = 66
NONCE = bytes(12)
CONTEXT = KeyContext("dep_1", "acc_1", "dk_1").to_bytes()
FIRST, SECOND = DataKey(b"\x01" * 32), DataKey(b"\x02" * 32)
PADDED = 4096
FIRST_LENGTH, SECOND_LENGTH = 4092, 3274
# Found by trying six million: with it, one ciphertext reads as these two lengths.
SALT = (6_086_115).to_bytes(32)


def record_key_and_commitment(key: DataKey, context: bytes, salt: bytes) -> tuple[bytes, bytes]:
    info = b"strongroom/v1/envelope" + b"\x01\x01" + context
    derived = hkdf("sha512", key, salt, info, 64)
    return derived[:32], derived[32:]


def record_key(key: DataKey) -> bytes:
    return record_key_and_commitment(key, CONTEXT, SALT)[0]


def forge() -> bytes:
    """An envelope of the first key whose ciphertext and tag are also right under the second."""
    keys = [record_key(FIRST), record_key(SECOND)]
    header = b"\x01\x01" + SALT + record_key_and_commitment(FIRST, CONTEXT, SALT)[1]
    first, second = (gcm_crypt(key, NONCE, bytes(PADDED)) for key in keys)
    head = xor(first[:BLOCK], FIRST_LENGTH.to_bytes(4) + b"from the one")
    fill = second[4 + SECOND_LENGTH :]
    ciphertext = head + bytes(PADDED - BLOCK - len(fill)) + fill
    ciphertext = head + _colliding_block(keys, header, ciphertext) + ciphertext[2 * BLOCK :]
    return header + ciphertext + gcm_tag(keys[0], NONCE, header, ciphertext)


def _colliding_block(keys: list[bytes], header: bytes, ciphertext: bytes) -> bytes:
    """The second block of ``ciphertext``, zero so far, that makes the tags of both keys equal."""
    difference, weight = 0, 0
    for key in keys:
        h = hash_key(key)
        difference ^= ghash(h, ghash_blocks(header, ciphertext))
        difference ^= int.from_bytes(counter_block(key, NONCE, 1))
        weight ^= gf_power(h, PADDED // BLOCK)  # as many as are left, with that of the lengths
    return gf_multiply(difference, gf_inverse(weight)).to_bytes(BLOCK)


@pytest.fixture(scope="module")
def forged() -> bytes:
    return forge()


@pytest.mark.parametrize(("key", "length"), [(FIRST, FIRST_LENGTH), (SECOND, SECOND_LENGTH)])
def test_plain_aes_gcm_opens_the_forgery_to_two_well_padded_values(
    forged: bytes, key: DataKey, length: int
) -> None:
    padded = AESGCM(record_key(key)).decrypt(NONCE, forged[HEADER:], forged[:HEADER])
    assert padded[:4] == length.to_bytes(4)
    assert not any(padded[4 + length :])


def test_the_forgery_is_an_envelope_of_the_first_key(forged: bytes) -> None:
    assert bytes(open_envelope(FIRST, forged, CONTEXT)).startswith(b"from the one")


def test_the_forgery_is_refused_under_the_second_key(forged: bytes) -> None:
    with pytest.raises(DecryptionError):
        open_envelope(SECOND, forged, CONTEXT)


@pytest.mark.parametrize("key", [FIRST, SECOND])
def test_committing_to_the_second_key_instead_opens_under_neither(
    forged: bytes, key: DataKey
) -> None:
    _, commitment = record_key_and_commitment(SECOND, CONTEXT, SALT)
    with pytest.raises(DecryptionError):
        open_envelope(key, forged[:34] + commitment + forged[HEADER:], CONTEXT)
