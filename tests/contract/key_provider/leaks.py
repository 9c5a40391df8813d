"""Checks that an error reveals neither a data key nor its vendor."""

import base64
import traceback

from backends.data_key import DataKey


def assert_keeps_quiet(error: BaseException, key: DataKey) -> None:
    """Nothing that a log could make of ``error`` holds ``key``, and no other error hangs on it."""
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    text = "".join(lines)
    shown = (repr(bytes(key))[2:-1], key.hex(), base64.b64encode(key).decode())
    assert not any(form in text for form in shown)
