"""A process that masks what a command's background processes print after the command has ended.

`strongroom run` returns with its command. Whatever the command left in the background may still
have its output, as ``(sleep 1; echo up) &``. A fork of ours reads on until the last writer closes
it. Like that writer, it keeps standard output and standard error open only as long.
"""

import os
import selectors
import signal
from collections.abc import Sequence
from typing import NoReturn

from app.client.terminal.output_stream import OutputStream, listen, serve_once

_NOT_CAUGHT = {signal.SIGKILL, signal.SIGSTOP}
_IGNORED = {signal.SIGPIPE, signal.SIGTTOU}  # a write fails instead, or is permitted


def mask_in_background(outputs: Sequence[OutputStream]) -> None:
    """Fork a process that masks the outputs that are open, and return at once."""
    if os.fork() == 0:
        _mask(outputs)
    for output in outputs:
        if not output.open:
            output.finish()


def _mask(outputs: Sequence[OutputStream]) -> NoReturn:
    try:
        for number in signal.valid_signals() - _NOT_CAUGHT:
            ignored = number in _IGNORED
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
        with selectors.DefaultSelector() as selector:
            remaining = [output for output in outputs if output.open]
            listen(selector, remaining)
            used = {0, 1, 2} | {output.sink for output in outputs}
            while remaining:
                used = _close_unused(used, remaining)
                serve_once(selector, remaining)
                for output in remaining:
                    if not output.open:
                        output.finish()
                remaining = [output for output in remaining if output.open]
    finally:
        os._exit(0)


def _close_unused(used: set[int], outputs: Sequence[OutputStream]) -> set[int]:
    """Let the readers of what no output is printed on any more see its end. Returns the others."""
    sinks = {output.sink for output in outputs}
    nothing = os.open(os.devnull, os.O_RDWR)
    for unused in used - sinks:
        os.dup2(nothing, unused)
    os.close(nothing)
    return sinks
