"""The released formats read for ever: frozen vectors, by the product and by the standards."""

import base64
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.crypto.archived import ArchivedContext
from app.crypto.envelope import open_envelope
from app.crypto.values import ValueContext
from app.services.idempotency import StoredResponseContext
from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import DecryptionError
from backends.local_fernet import from_spec
from backends.provider import WrappedKey
from backends.provider_uri import ProviderSpec
from backends.recovery.files import PrivateKeyFile, public_key_text, read_public_key
from config.files import Files
from tests.unit.backends import spelled_out

VECTORS = Path(__file__).parents[2] / "vectors"
Context = ValueContext | KeyContext | StoredResponseContext | ArchivedContext
CONTEXTS: dict[str, type[Context]] = {
    "value": ValueContext,
    "data key": KeyContext,
    "stored answer": StoredResponseContext,
    "archived value": ArchivedContext,
}
KINDS = {"value": 1, "data key": 2, "stored answer": 3, "archived value": 4}


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


ENVELOPES = load("envelope-v1.json")
OPENS = [*ENVELOPES["opens"], *load("archived-v1.json")["opens"]]
CHECKS = load("data-key-check-v1.json")["checks"]
FERNET = load("local-fernet-v1.json")
RECOVERY = load("recovery-v1.json")

every_envelope = pytest.mark.parametrize("vector", OPENS, ids=lambda v: v["name"])
every_fernet_wrapping = pytest.mark.parametrize("vector", FERNET["wrappings"], ids=range(2))
every_recovery_wrapping = pytest.mark.parametrize("vector", RECOVERY["wrappings"], ids=range(1))
every_check = pytest.mark.parametrize("vector", CHECKS, ids=range(3))
every_context = pytest.mark.parametrize(
    "context",
    [
        vector["context"]
        for vectors in (OPENS, CHECKS, FERNET["wrappings"], RECOVERY["wrappings"])
        for vector in vectors
    ],
    ids=range(17),
)


@dataclass(frozen=True)
class Wrapping:
    """A vector of a wrapping, decoded."""

    data_key: bytes
    context: KeyContext
    wrapped: WrappedKey


def wrapping(scheme: str, vector: Any) -> Wrapping:
    return Wrapping(
        bytes.fromhex(vector["data_key"]),
        KeyContext(**vector["context"]["fields"]),
        WrappedKey(scheme, vector["key_ref"], bytes.fromhex(vector["blob"])),
    )


def data_key(vector: Any) -> DataKey:
    return DataKey(bytes.fromhex(vector["data_key"]))


def context_bytes(vector: Any) -> bytes:
    return bytes.fromhex(vector["context"]["bytes"])


@every_context
def test_a_context_is_encoded_as_released(context: Any) -> None:
    encoded = CONTEXTS[context["kind"]](**context["fields"]).to_bytes()
    assert encoded.hex() == context["bytes"]


@every_context
def test_a_context_is_encoded_as_described(context: Any) -> None:
    encoded = b"strongroom" + bytes([KINDS[context["kind"]]])
    for field in context["fields"].values():
        if isinstance(field, int):
            encoded += field.to_bytes(8)
        else:
            encoded += len(field.encode()).to_bytes(4) + field.encode()
    assert encoded.hex() == context["bytes"]


@every_envelope
def test_a_released_envelope_opens(vector: Any) -> None:
    envelope = bytes.fromhex(vector["envelope"])
    opened = open_envelope(data_key(vector), envelope, context_bytes(vector))
    assert opened.hex() == vector["plaintext"]


@every_envelope
def test_a_released_envelope_opens_by_the_description(vector: Any) -> None:
    envelope = bytes.fromhex(vector["envelope"])
    header, sealed = envelope[:66], envelope[66:]
    info = b"strongroom/v1/envelope" + b"\x01\x01" + context_bytes(vector)
    derived = spelled_out.hkdf("sha512", data_key(vector), bytes.fromhex(vector["salt"]), info, 64)
    assert header == b"\x01\x01" + bytes.fromhex(vector["salt"]) + derived[32:]
    padded = spelled_out.gcm_open(derived[:32], bytes(12), sealed, header)
    plaintext = bytes.fromhex(vector["plaintext"])
    assert padded == len(plaintext).to_bytes(4) + plaintext + bytes(
        max(256, 1 << (len(plaintext) + 3).bit_length()) - len(plaintext) - 4
    )


@pytest.mark.parametrize("vector", ENVELOPES["refused"], ids=lambda v: v["name"])
def test_a_refused_envelope_stays_refused(vector: Any) -> None:
    with pytest.raises(DecryptionError):
        open_envelope(data_key(vector), bytes.fromhex(vector["envelope"]), context_bytes(vector))


def test_the_released_forgery_stays_refused_under_its_second_key() -> None:
    forged = ENVELOPES["forged"]
    first, second = (DataKey(bytes.fromhex(key)) for key in forged["data_keys"])
    envelope, context = bytes.fromhex(forged["envelope"]), context_bytes(forged)
    assert open_envelope(first, envelope, context)
    with pytest.raises(DecryptionError):
        open_envelope(second, envelope, context)


@every_check
def test_a_check_is_made_as_released(vector: Any) -> None:
    context = KeyContext(**vector["context"]["fields"])
    assert key_check(data_key(vector), context).hex() == vector["check"]


@every_check
def test_a_check_is_made_as_described(vector: Any) -> None:
    info = b"strongroom/v1/data-key-check" + context_bytes(vector)
    check = spelled_out.hkdf("sha256", data_key(vector), bytes(32), info, 32)
    assert check.hex() == vector["check"]


@every_fernet_wrapping
def test_a_released_local_wrapping_opens(vector: Any, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(FERNET["key_file"])
    path.chmod(0o600)
    provider = from_spec(ProviderSpec("STRONGROOM_KEYS", "local-fernet", str(path), {}, 1, Files()))
    released = wrapping("local-fernet", vector)
    assert provider.unwrap(released.wrapped, released.context) == DataKey(released.data_key)


@every_fernet_wrapping
def test_a_released_local_wrapping_opens_by_the_description(vector: Any) -> None:
    masters = [base64.urlsafe_b64decode(line) for line in FERNET["key_file"].split()]
    master = {local_key_ref(each): each for each in masters}[vector["key_ref"]]
    info = b"strongroom/v1/local-fernet/wrap" + context_bytes(vector)
    derived = spelled_out.hkdf("sha256", master, bytes(32), info, 32)
    blob = bytes.fromhex(vector["blob"])
    assert (blob[0], blob[-32:]) == (0x80, hmac.digest(derived[:16], blob[:-32], "sha256"))
    padded = spelled_out.cbc_decrypt(derived[16:], blob[9:25], blob[25:-32])
    assert padded == bytes.fromhex(vector["data_key"]) + bytes([16]) * 16


def local_key_ref(master: bytes) -> str:
    label = b"strongroom/v1/local-fernet/fingerprint"
    return f"local-fernet:{spelled_out.hkdf('sha256', master, bytes(32), label, 16).hex()}"


def test_a_released_recovery_public_key_reads() -> None:
    text = RECOVERY["public_key_file"]
    assert public_key_text(read_public_key(text)) == text


@pytest.mark.parametrize("name", ["private_key_file", "private_key_file_without_fingerprint"])
def test_a_released_recovery_private_key_reads(name: str) -> None:
    text = RECOVERY[name]
    assert PrivateKeyFile.from_text(text).to_text() == text


def test_the_released_private_key_is_filed_with_the_system_key() -> None:
    filed = PrivateKeyFile.from_text(RECOVERY["private_key_file"]).system_key
    assert filed is not None
    assert filed.check.hex() == CHECKS[1]["check"]


@every_recovery_wrapping
def test_a_released_recovery_wrapping_opens(vector: Any) -> None:
    private = PrivateKeyFile.from_text(RECOVERY["private_key_file"]).key
    released = wrapping("recovery", vector)
    assert private.unwrap(released.wrapped, released.context) == DataKey(released.data_key)


@every_recovery_wrapping
def test_a_released_recovery_wrapping_opens_by_the_description(vector: Any) -> None:
    seeds = base64.b64decode(json.loads(RECOVERY["private_key_file"])["seeds"])
    blob = bytes.fromhex(vector["blob"])
    secret = spelled_out.xwing_decapsulate(seeds, blob[1:1121])
    key, nonce = spelled_out.hpke_key_and_nonce(secret, context_bytes(vector))
    assert blob[0] == 1
    assert AESGCM(key).decrypt(nonce, blob[1121:], b"").hex() == vector["data_key"]
