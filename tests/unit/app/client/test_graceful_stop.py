"""The end of a process group, on a clock of the test."""

import os
import signal
import subprocess
import sys

import pytest

from app.client.terminal.graceful_stop import GRACE_SECONDS, GracefulStop, has_members
from tests.support.waiting import wait_until


class Group:
    """A process group, the signals that it got, and the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.signals: list[int] = []
        self.is_there = True
        self.stop = GracefulStop(self.signals.append, lambda: self.is_there, lambda: self.now)


@pytest.fixture
def group() -> Group:
    group = Group()
    group.stop.begin()
    return group


def test_nothing_is_sent_before_it_begins() -> None:
    group = Group()
    assert group.stop.patience(leader_ended=False) is None
    assert group.signals == []


def test_the_group_is_asked_to_end_even_if_it_is_stopped(group: Group) -> None:
    assert group.signals == [signal.SIGTERM, signal.SIGCONT]


def test_it_is_over_when_leader_and_group_have_ended(group: Group) -> None:
    assert not group.stop.is_over(leader_ended=False)
    assert not group.stop.is_over(leader_ended=True)
    group.is_there = False
    assert not group.stop.is_over(leader_ended=False)
    assert group.stop.is_over(leader_ended=True)
    assert signal.SIGKILL not in group.signals


def test_what_stays_is_killed_once_the_grace_is_over(group: Group) -> None:
    patience = group.stop.patience(leader_ended=False)
    assert patience == GRACE_SECONDS
    group.now += patience
    assert not group.stop.is_over(leader_ended=True)
    assert not group.stop.is_over(leader_ended=True)
    assert group.signals.count(signal.SIGKILL) == 1


def test_a_member_that_cannot_be_killed_is_not_waited_for(group: Group) -> None:
    group.now += GRACE_SECONDS
    group.stop.is_over(leader_ended=True)
    group.now += 2
    assert group.stop.is_over(leader_ended=True)


def test_a_wait_is_never_busy(group: Group) -> None:
    group.now += 1000
    for leader_ended in (False, True):
        assert (group.stop.patience(leader_ended=leader_ended) or 0) > 0


def test_a_group_has_members_until_they_have_ended() -> None:
    """A zombie is none."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, process_group=0) as child:
        assert has_members(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        wait_until(lambda: not has_members(child.pid))
