"""Removes differences that do not count when output is compared with values."""

LINE_ENDS = b"\r\n"
_PLUS_TO_SPACE = bytes.maketrans(b"+", b" ")


def squeeze(output: bytes) -> bytes:
    """The output without its line ends."""
    return output.translate(None, LINE_ENDS)


def fold(output: bytes) -> bytes:
    """The output without its line ends, and with a space for ``+``, as HTML forms have it."""
    return output.translate(_PLUS_TO_SPACE, LINE_ENDS)
