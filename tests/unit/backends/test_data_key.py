"""Data keys cannot print themselves, and are recognised by their check."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey, derive, key_check, verify_key
from backends.errors import DecryptionError
from backends.provider import WrappedKey

RAW = bytes(range(200, 232))
CONTEXT = KeyContext("dep_1", "acc_1", "dk_1")


@pytest.fixture
def key() -> DataKey:
    return DataKey(RAW)


def shows(text: str) -> bool:
    """Return True if ``text`` shows the key in one of Python's forms of bytes."""
    return repr(RAW)[2:-1] in text or RAW.hex() in text or str(list(RAW))[1:-1] in text


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        format,
        lambda key: f"{key}",
        lambda key: f"{key!r:>40}",
        lambda key: "%s %r" % (key, key),  # noqa: UP031 - as logging formats
        lambda key: repr([key, {"key": key}, (key,)]),
        lambda key: repr(WrappedKey("scheme", "ref", bytes(key))),
    ],
    ids=range(9),
)
def test_no_way_of_printing_shows_the_key(key: DataKey, show: Callable[[DataKey], str]) -> None:
    assert not shows(show(key))


def test_a_log_record_does_not_show_the_key(key: DataKey, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger(__name__).debug("key %s %r", key, [key])
    assert not shows(caplog.text)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_traceback_with_locals_does_not_show_what_is_too_long_for_a_key(
    kind: type[bytes | bytearray],
) -> None:
    with pytest.raises(DecryptionError) as caught:
        DataKey(kind(RAW + b"."))
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame.locals or {} for frame in report.stack if frame.filename != __file__]
    assert not shows("\n".join(each for frame in below for each in frame.values()))


def test_a_traceback_with_locals_does_not_show_the_key(key: DataKey) -> None:
    with pytest.raises(DecryptionError) as caught:
        verify_key(key, CONTEXT, bytes(32))
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert not shows("".join(lines))


@pytest.mark.parametrize(
    "leave",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, lambda key: pickle.dumps(key, 0)],
    ids=range(5),
)
def test_a_key_leaves_the_process_by_no_protocol(
    key: DataKey, leave: Callable[[DataKey], object]
) -> None:
    with pytest.raises(TypeError):
        leave(key)


def test_a_wrapping_does_not_print_what_it_wraps() -> None:
    assert "blob" not in repr(WrappedKey("scheme", "ref", b"wrapped"))


def test_a_wiped_key_is_zeros(key: DataKey) -> None:
    key.wipe()
    assert key == bytearray(32)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_only_32_bytes_are_a_key(length: int) -> None:
    with pytest.raises(DecryptionError):
        DataKey(bytes(length))


def test_random_keys_differ() -> None:
    assert DataKey.random() != DataKey.random()


def test_the_check_recognises_its_key(key: DataKey) -> None:
    verify_key(key, CONTEXT, key_check(key, CONTEXT))


def test_the_check_refuses_another_key(key: DataKey) -> None:
    with pytest.raises(DecryptionError):
        verify_key(DataKey.random(), CONTEXT, key_check(key, CONTEXT))


@pytest.mark.parametrize("field", ["deployment_id", "account_id", "data_key_id"])
def test_the_check_is_of_one_identity(key: DataKey, field: str) -> None:
    with pytest.raises(DecryptionError):
        verify_key(key, CONTEXT._replace(**{field: "other"}), key_check(key, CONTEXT))


@pytest.mark.parametrize("check", [b"", bytes(31), bytes(33)])
def test_a_check_of_another_length_is_refused(key: DataKey, check: bytes) -> None:
    with pytest.raises(DecryptionError):
        verify_key(key, CONTEXT, check)


def test_what_is_derived_depends_on_key_label_and_context(key: DataKey) -> None:
    other = DataKey(bytes(32))
    derived = [derive(key, b"a", b"b"), derive(key, b"c", b"b"), derive(key, b"a", b"c")]
    assert len({*derived, derive(other, b"a", b"b")}) == 4
