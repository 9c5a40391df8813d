"""The files that hold the halves of a recovery key pair."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from backends.context import KeyContext
from backends.fingerprint import SystemKeyFingerprint
from backends.recovery.files import (
    MalformedKeyFile,
    PrivateKeyFile,
    public_key_text,
    read_public_key,
)
from backends.recovery.keys import RecoveryPrivateKey, RecoveryPublicKey

PRIVATE = RecoveryPrivateKey(bytes(range(96)))
FILED = SystemKeyFingerprint(KeyContext("dep_1", "_system", "dk_1"), bytes(range(32)))

Change = Callable[[dict[str, Any]], object]
damage = pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(format="strongroom"),
        lambda fields: fields.update(version=2),
        lambda fields: fields.update(suite=2),
        lambda fields: fields.update(key_ref="recovery:" + "0" * 32),
        lambda fields: fields.update(comment=""),
        lambda fields: fields.pop("key_ref"),
        lambda fields: fields.update({last(fields): None}),
        lambda fields: fields.update({last(fields): "not base64"}),
        lambda fields: fields.update({last(fields): ""}),
        lambda fields: fields.update({last(fields): fields[last(fields)][:-4]}),
    ],
    ids=range(10),
)


def last(fields: dict[str, Any]) -> str:
    """The name of the field that holds the key itself."""
    return "seeds" if "seeds" in fields else "key"


def changed(text: str, change: Change) -> str:
    fields = json.loads(text)
    change(fields)
    return json.dumps(fields)


def test_the_public_half_reads_back() -> None:
    text = public_key_text(PRIVATE.public_key)
    assert read_public_key(text).raw == PRIVATE.public_key.raw


@pytest.mark.parametrize("filed", [None, FILED])
def test_the_private_half_reads_back(filed: SystemKeyFingerprint | None) -> None:
    read = PrivateKeyFile.from_text(PrivateKeyFile(PRIVATE, filed).to_text())
    assert (read.key.seeds(), read.system_key) == (PRIVATE.seeds(), filed)


def test_the_public_file_holds_nothing_of_the_private_half() -> None:
    text = public_key_text(PRIVATE.public_key)
    assert json.loads(text).keys() == {"format", "version", "suite", "key_ref", "key"}


@damage
def test_a_damaged_public_file_is_refused(change: Change) -> None:
    text = changed(public_key_text(PRIVATE.public_key), change)
    with pytest.raises(MalformedKeyFile):
        read_public_key(text)


@damage
def test_a_damaged_private_file_is_refused(change: Change) -> None:
    text = changed(PrivateKeyFile(PRIVATE).to_text(), change)
    with pytest.raises(MalformedKeyFile):
        PrivateKeyFile.from_text(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda filed: filed.pop("account_id"),
        lambda filed: filed.update(account_id=1),
        lambda filed: filed.update(check=""),
        lambda filed: filed.update(more=""),
    ],
    ids=range(4),
)
def test_a_damaged_fingerprint_is_refused(change: Change) -> None:
    text = changed(
        PrivateKeyFile(PRIVATE, FILED).to_text(), lambda fields: change(fields["system_key"])
    )
    with pytest.raises(MalformedKeyFile):
        PrivateKeyFile.from_text(text)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, b"\xff\xfe", "0x"])
def test_what_is_no_key_file_is_neither_half(text: str | bytes) -> None:
    for read in (read_public_key, PrivateKeyFile.from_text):
        with pytest.raises(MalformedKeyFile):
            read(text)


def test_neither_half_is_taken_for_the_other() -> None:
    with pytest.raises(MalformedKeyFile):
        read_public_key(PrivateKeyFile(PRIVATE).to_text())
    with pytest.raises(MalformedKeyFile):
        PrivateKeyFile.from_text(public_key_text(PRIVATE.public_key))


def test_a_refusal_does_not_carry_the_file() -> None:
    text = PrivateKeyFile(PRIVATE).to_text()
    with pytest.raises(MalformedKeyFile) as caught:
        PrivateKeyFile.from_text(text[:-10])
    assert caught.value.args == ()
    assert caught.value.__context__ is None


@pytest.mark.parametrize("point", [0, 1])
def test_a_public_key_of_low_order_is_refused(point: int) -> None:
    with pytest.raises(ValueError, match="shared key"):
        RecoveryPublicKey(PRIVATE.public_key.raw[:1184] + bytes([point]) + bytes(31))


def test_the_private_half_does_not_print_itself() -> None:
    shown = f"{PRIVATE!r} {PRIVATE} {PrivateKeyFile(PRIVATE)!r} {vars(PRIVATE)!r}"
    assert PRIVATE.seeds().hex() not in shown
    assert repr(PRIVATE.seeds())[2:40] not in shown


def test_the_private_half_cannot_be_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(PRIVATE)


def test_new_pairs_differ() -> None:
    assert RecoveryPrivateKey.generate().seeds() != RecoveryPrivateKey.generate().seeds()
