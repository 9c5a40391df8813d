"""The value of a secret from a terminal, from standard input or from a file, byte for byte."""

import os
import select
from pathlib import Path

from app.client.redeem import Fault, Refused
from app.client.secret.prompts import ask_twice

MAX_VALUE_BYTES = 65_536  # a server may permit less
_STANDARD_INPUT = 0


def is_typed(file: Path | None) -> bool:
    """Return True if the value has to be asked for at a terminal."""
    return file is None and os.isatty(_STANDARD_INPUT)


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
            return _read_all(_STANDARD_INPUT)
        with file.open("rb", buffering=0) as opened:
            return _read_all(opened.fileno())
    except OSError as error:
        raise Refused(Fault(f"{place} cannot be read: {error.strerror}.")) from None


def _read_all(source: int) -> bytes:
    """Read to the end, also from a pipe that somebody made non-blocking."""
    raw = b""
    while len(raw) <= MAX_VALUE_BYTES:
        select.select([source], [], [])
        piece = os.read(source, MAX_VALUE_BYTES + 1 - len(raw))
        if not piece:
            break
        raw += piece
    return raw


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
