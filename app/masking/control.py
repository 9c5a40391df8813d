"""Control sequences of terminals, which may stand anywhere in what is printed."""

import re

from app.masking.reading import Reading

_CONTROL = re.compile(
    rb"""( \x1b (?: \[ [0-?]* [ -/]* (?: [@-~] | \Z )            # CSI, as colours
                  | \] [^\x07\x1b]{0,2048} (?: \x07 | \x1b\\ | \Z )  # OSC, as links
                  | [ -/]* [0-Z\\^-~]
                  | \Z ) )""",
    re.VERBOSE,
)


def without_control(output: bytes) -> Reading | None:
    """Read the output without control sequences; ``None`` if there are none.

    Their syntax is that of ECMA-48, sections 5.4 and 5.6.
    """
    if b"\x1b" not in output:
        return None
    reading = Reading(output, _CONTROL, lambda _: b"")
    return None if reading.is_same else reading
