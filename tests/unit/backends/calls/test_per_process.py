"""An object of one process is built once in it, and not inherited by a fork."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from textwrap import dedent
from threading import Barrier

import pytest

from backends.calls.per_process import PerProcess


class NotYetError(Exception):
    """The build fails, as its input is not there yet."""


def run(script: str) -> str:
    """The output of another process: forking this one, which has threads, is not safe."""
    command = [sys.executable, "-W", "error", "-c", dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_nothing_is_built_before_it_is_asked_for() -> None:
    built = count()
    PerProcess(lambda: next(built))
    assert next(built) == 0


def test_many_threads_get_the_same_one() -> None:
    start = Barrier(8)
    owned = PerProcess(object)

    def get(_: int) -> int:
        start.wait(10)
        return id(owned.get())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(get, range(8)))) == 1


def test_a_failed_build_is_tried_again() -> None:
    attempts = count()

    def build() -> str:
        if next(attempts) == 0:
            raise NotYetError
        return "built"

    owned = PerProcess(build)
    with pytest.raises(NotYetError):
        owned.get()
    assert owned.get() == "built"


def test_what_was_forgotten_is_built_anew() -> None:
    built = count()
    owned = PerProcess(lambda: next(built))
    assert [owned.get(), owned.forget(), owned.get()] == [0, 0, 1]


def test_a_forked_child_builds_its_own() -> None:
    shown = run(
        """
        import os
        from backends.calls.per_process import PerProcess
        owned = PerProcess(os.getpid)
        parents = owned.get()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            print(owned.get() == os.getpid() != parents)
        """
    )
    assert shown == "True\n"


def test_a_child_forked_while_the_parent_builds_is_not_held_up() -> None:
    shown = run(
        """
        import os
        from backends.calls.per_process import PerProcess
        def build():
            if os.getpid() == parent and not os.fork():
                print(owned.get(), flush=True)
                os._exit(0)
            if os.getpid() == parent:
                os.wait()
            return "built"
        parent = os.getpid()
        owned = PerProcess(build)
        owned.get()
        """
    )
    assert shown == "built\n"
