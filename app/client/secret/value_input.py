"""The value of a secret from a terminal, from standard input or from a file, byte for byte."""

import sys
from pathlib import Path

from app.client.redeem import Fault, Refused
from app.client.secret.prompts import ask_twice

MAX_VALUE_BYTES = 65_536  # a server may permit less


def is_typed(file: Path | None) -> bool:
    """Return True if the value has to be asked for at a terminal."""
    return file is None and sys.stdin is not None and sys.stdin.isatty()


def read_value(name: str, file: Path | None) -> bytes:
    """Read a value of at most `MAX_VALUE_BYTES`, and one byte more if it is too long.

    Raises:
        Refused: It cannot be read.
    """
    if is_typed(file):
        return ask_twice(f"value of {name}")
    place = "standard input" if file is None else f"--file: {file}"
    try:
        if file is None:
            return sys.stdin.buffer.read(MAX_VALUE_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_VALUE_BYTES + 1)
    except (OSError, AttributeError) as error:  # standard input may be closed
        cause = getattr(error, "strerror", None) or "closed"
        raise Refused(Fault(f"{place} cannot be read: {cause}.")) from None


def value_faults(raw: bytes, *, allow_empty: bool) -> list[Fault]:
    """Return the rules that a value breaks, without the value."""
    faults = []
    if not raw and not allow_empty:
        faults.append(Fault("the value is empty (--allow-empty permits that)."))
    if len(raw) > MAX_VALUE_BYTES:
        faults.append(Fault(f"the value is longer than {MAX_VALUE_BYTES} bytes."))
    elif not _is_utf8(raw):
        faults.append(Fault("the value is not UTF-8: encode it first, for example as base64."))
    if b"\0" in raw:
        faults.append(Fault("the value has a NUL byte, which no variable can hold."))
    return faults


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
