"""The released formats' primitives, spelled out from their standards rather than imported.

What is computed here shares nothing with the product but the AES block cipher, SHA-2, SHA-3,
X25519 and ML-KEM, so that a vector that both agree on can be read by anyone else, too.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK = 16
ONE_IN_GF = 1 << 127
XWING_LABEL = b"\\.//^\\"


def hkdf(digest: str, secret: bytes | bytearray, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF, RFC 5869."""
    return hkdf_expand(digest, hmac.digest(salt, secret, digest), info, length)


def hkdf_expand(digest: str, pseudorandom: bytes, info: bytes, length: int) -> bytes:
    """The second step of HKDF, RFC 5869."""
    block, output = b"", b""
    while len(output) < length:
        counter = bytes([len(output) // max(len(block), 1) + 1])
        block = hmac.digest(pseudorandom, block + info + counter, digest)
        output += block
    return output[:length]


def gf_multiply(x: int, y: int) -> int:
    """The product in GF(2^128), in GCM's order of bits, NIST SP 800-38D, 6.3."""
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def gf_power(x: int, exponent: int) -> int:
    """``x`` to the power of ``exponent`` in GF(2^128)."""
    power = ONE_IN_GF
    for bit in f"{exponent:b}":
        power = gf_multiply(power, power)
        if bit == "1":
            power = gf_multiply(power, x)
    return power


def gf_inverse(x: int) -> int:
    """The inverse of ``x``, which is not 0."""
    return gf_power(x, 2**128 - 2)


def aes_block(key: bytes, block: bytes) -> bytes:
    """One block of AES."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - one block is no mode
    return encryptor.update(block) + encryptor.finalize()


def hash_key(key: bytes) -> int:
    """GCM's H."""
    return int.from_bytes(aes_block(key, bytes(BLOCK)))


def counter_block(key: bytes, nonce: bytes, counter: int) -> bytes:
    """The encrypted counter; counter 1 masks the tag, 2 and on make the key stream."""
    return aes_block(key, nonce + counter.to_bytes(4))


def ghash_blocks(aad: bytes, ciphertext: bytes) -> list[int]:
    """The blocks of GHASH, as numbers."""
    lengths = (len(aad) * 8).to_bytes(8) + (len(ciphertext) * 8).to_bytes(8)
    text = _filled(aad) + _filled(ciphertext) + lengths
    return [int.from_bytes(text[i : i + BLOCK]) for i in range(0, len(text), BLOCK)]


def ghash(h: int, blocks: list[int]) -> int:
    """NIST SP 800-38D, 6.4."""
    value = 0
    for block in blocks:
        value = gf_multiply(value ^ block, h)
    return value


def gcm_tag(key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    """The tag of AES-GCM over ``ciphertext``."""
    value = ghash(hash_key(key), ghash_blocks(aad, ciphertext))
    return xor(value.to_bytes(BLOCK), counter_block(key, nonce, 1))


def gcm_crypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    """AES-GCM's counter mode, which encrypts and decrypts."""
    blocks = (len(text) + BLOCK - 1) // BLOCK
    stream = b"".join(counter_block(key, nonce, 2 + n) for n in range(blocks))
    return xor(text, stream[: len(text)])


def gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext of AES-GCM; the ciphertext's tag must be right."""
    ciphertext, tag = sealed[:-BLOCK], sealed[-BLOCK:]
    assert gcm_tag(key, nonce, aad, ciphertext) == tag
    return gcm_crypt(key, nonce, ciphertext)


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """AES in CBC mode, padding kept."""
    decryptor = Cipher(AES(key), ECB()).decryptor()  # noqa: S305 - chained on the next line
    return xor(decryptor.update(ciphertext), (iv + ciphertext)[: len(ciphertext)])


def xwing_decapsulate(seeds: bytes, encapsulated: bytes) -> bytes:
    """The shared secret of MLKEM768-X25519, draft-connolly-cfrg-xwing-kem, 5.4."""
    mlkem = MLKEM768PrivateKey.from_seed_bytes(seeds[:64])
    x25519 = X25519PrivateKey.from_private_bytes(seeds[64:])
    ephemeral = encapsulated[1088:]
    secrets = mlkem.decapsulate(encapsulated[:1088]) + x25519.exchange(
        X25519PublicKey.from_public_bytes(ephemeral)
    )
    public = x25519.public_key().public_bytes_raw()
    return hashlib.sha3_256(secrets + ephemeral + public + XWING_LABEL).digest()


def hpke_key_and_nonce(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180, 5.1, base mode: 0x647a MLKEM768-X25519, 1 HKDF-SHA256, 2 AES-256-GCM."""
    suite = b"HPKE" + b"\x64\x7a" + b"\x00\x01" + b"\x00\x02"

    def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, "sha256")

    def expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2) + b"HPKE-v1" + suite + label + context
        return hkdf_expand("sha256", secret, labelled, length)

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


def xor(left: bytes, right: bytes) -> bytes:
    """Byte by byte."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _filled(text: bytes) -> bytes:
    return text + bytes(-len(text) % BLOCK)
