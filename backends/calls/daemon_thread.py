"""Work in a thread that nothing waits for when its process ends.

The threads of ``concurrent.futures`` are joined at the interpreter's exit: one whose call hangs
would keep a command from ending, and a worker, with its keys, from being replaced.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from backends.errors import KeyUnavailable

T = TypeVar("T")


def in_daemon_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Begin the work in a thread of its own.

    Raises:
        KeyUnavailable: The machine has no further thread.
    """
    future: Future[T] = Future()
    try:
        Thread(target=_settle, args=(future, work), name=name, daemon=True).start()
    except RuntimeError:
        raise KeyUnavailable("No thread is left to ask the key provider.") from None
    return future


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it is raised to the one who asks for the result
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        del future  # which an error would hold by this frame, and the frames of the work with it
