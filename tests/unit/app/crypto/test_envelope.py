"""Envelopes open under their key and context, and otherwise give one error with one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crypto.envelope import open_envelope, seal
from app.crypto.record_keys import RecordKeys, Room
from app.crypto.values import ValueContext
from app.services.idempotency import StoredResponseContext
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError

KEY = DataKey(bytes(range(32)))
KNOWN = RecordKeys(Room())  # of the envelope that tests start from, and of KEY
ROW = ValueContext("dep_1", "acc_1", "sec_1", "NAME", 1, "dk_1")
CONTEXT = ROW.to_bytes()
OVERHEAD = 66 + 16
ONE_TEXT = str(DecryptionError())


@pytest.fixture(scope="module")
def envelope() -> bytes:
    sealed = seal(KEY, b"value", CONTEXT)
    open_envelope(KEY, sealed, CONTEXT, KNOWN)
    return sealed


def refused(
    envelope: bytes,
    key: DataKey = KEY,
    context: bytes = CONTEXT,
    known: RecordKeys = KNOWN,
) -> bool:
    """Return True if it is refused, with and without cached record keys, in the one text."""
    return all(refused_with(keys, key, envelope, context) for keys in (None, known))


def refused_with(keys: RecordKeys | None, key: DataKey, envelope: bytes, context: bytes) -> bool:
    try:
        open_envelope(key, envelope, context, keys)
    except DecryptionError as error:
        return type(error) is DecryptionError and str(error) == ONE_TEXT
    return False


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens(plaintext: bytes) -> None:
    assert open_envelope(KEY, seal(KEY, plaintext, CONTEXT), CONTEXT) == plaintext


@pytest.mark.parametrize("length", [0, 1, 252, 253, 508, 509, 65532, 65533, 65536])
def test_every_length_is_kept(length: int) -> None:
    assert len(open_envelope(KEY, seal(KEY, bytes(length), CONTEXT), CONTEXT)) == length


def test_who_wipes_what_was_opened_leaves_nothing_of_it(envelope: bytes) -> None:
    opened = open_envelope(KEY, envelope, CONTEXT)
    opened[:] = bytes(len(opened))
    assert b"value" not in bytes(opened.obj)


def test_sealing_twice_shows_no_repetition() -> None:
    one, other = seal(KEY, b"value", CONTEXT), seal(KEY, b"value", CONTEXT)
    assert one[2:34] != other[2:34]
    assert one[66:] != other[66:]


@pytest.mark.parametrize(
    ("length", "padded"),
    [(0, 256), (252, 256), (253, 512), (508, 512), (509, 1024), (65532, 65536), (65536, 131072)],
)
def test_the_size_tells_the_power_of_two_and_no_more(length: int, padded: int) -> None:
    assert len(seal(KEY, bytes(length), CONTEXT)) == OVERHEAD + padded


def test_a_plaintext_beyond_the_format_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="too long"):
        seal(KEY, bytes(2**24 - 3), CONTEXT)


def test_the_value_is_not_in_the_envelope() -> None:
    assert b"a value that is easy to find" not in seal(KEY, b"a value that is easy to find", b"")


def test_every_flipped_bit_is_refused(envelope: bytes) -> None:
    opened = []
    for bit in range(len(envelope) * 8):
        flipped = bytearray(envelope)
        flipped[bit // 8] ^= 1 << bit % 8
        if not refused(bytes(flipped)):
            opened.append(bit)
    assert opened == []


def test_every_truncation_is_refused(envelope: bytes) -> None:
    assert [n for n in range(len(envelope)) if not refused(envelope[:n])] == []


def test_every_missing_beginning_is_refused(envelope: bytes) -> None:
    assert [n for n in range(1, len(envelope)) if not refused(envelope[n:])] == []


@pytest.mark.parametrize("extra", [1, 16, 256, 4096])
def test_trailing_bytes_are_refused(envelope: bytes, extra: int) -> None:
    assert refused(envelope + bytes(extra))


@given(st.binary(max_size=600))
def test_other_bytes_are_refused(noise: bytes) -> None:
    assert refused(noise)


@given(st.binary(min_size=336, max_size=336))
def test_other_bytes_behind_the_right_version_are_refused(noise: bytes) -> None:
    assert refused(b"\x01\x01" + noise)


def test_another_key_is_refused(envelope: bytes) -> None:
    assert refused(envelope, key=DataKey(bytes(32)), known=RecordKeys(Room()))


@pytest.mark.parametrize(
    "other",
    [
        ROW._replace(deployment_id="dep_2"),
        ROW._replace(account_id="acc_2"),
        ROW._replace(secret_id="sec_2"),
        ROW._replace(name="NAME2"),
        ROW._replace(name="name"),
        ROW._replace(version=2),
        ROW._replace(data_key_id="dk_2"),
        KeyContext("dep_1", "acc_1", "dk_1"),
        StoredResponseContext("dep_1", "acc_1", "sec_1", "NAME", "dk_1"),
    ],
    ids=range(9),
)
def test_another_row_is_refused(
    envelope: bytes, other: ValueContext | KeyContext | StoredResponseContext
) -> None:
    assert refused(envelope, context=other.to_bytes())


def test_parts_of_two_envelopes_do_not_make_a_third(envelope: bytes) -> None:
    other = seal(KEY, b"other", CONTEXT)
    spliced = [envelope[:cut] + other[cut:] for cut in range(1, len(envelope))]
    assert [each for each in spliced if each not in (envelope, other) and not refused(each)] == []
