"""A signal is passed on to a masked command at once, at whatever moment it comes."""

import subprocess
import sys

# The relay's thread is in its wait, and another one takes the signal: what the wait sees of it is
# what it sees of a signal that comes just before the wait begins.
PROGRAM = """
import os, selectors, signal, sys, threading, _thread
from app.client.terminal.monitor import Event, Message
from app.client.terminal.relay import Relay

class Command:
    def admit_signals(self):
        pass

    def __init__(self):
        self.told, self.tell = os.pipe()

    def fileno(self):
        return self.told

    def signal(self, number):
        os.write(self.tell, bytes([number]))

    def read(self):
        return Message(Event.KILLED, os.read(self.told, 1)[0])

    def leave_terminal(self):
        pass

class SignalledElsewhere(selectors.PollSelector):
    def select(self, timeout=None):
        _thread.start_new_thread(self.signal, ())
        return super().select(timeout)

    def signal(self):
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

sys.setswitchinterval(1000)  # the other thread runs when the relay's waits, and not before
end = Relay(Command(), [], None, SignalledElsewhere()).run(take_keys=False)
print(end.number)
"""


def test_a_signal_that_does_not_interrupt_the_wait_is_passed_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "10\n"
