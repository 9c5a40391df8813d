"""A lock among threads that is taken in the order of asking."""

import threading
from collections import deque


class FairLock:
    """Like ``threading.Lock``, which lets a thread that just released it overtake all who wait."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_held = False
        self._turns: deque[threading.Lock] = deque()

    def acquire(self, timeout_s: float) -> bool:
        """Whether it could be had within ``timeout_s`` seconds; 0 does not wait."""
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._turns.append(turn)
        return turn.acquire(timeout=max(timeout_s, 0)) or not self._give_up(turn)

    def pass_on(self) -> bool:
        """Pass it to who has waited longest; if nobody waits, it is kept. Whether it was passed."""
        with self._mutex:
            return self._pass_on()

    def release(self) -> None:
        """Pass it to who has waited longest, or free it."""
        with self._mutex:
            self._is_held = self._pass_on()

    def _pass_on(self) -> bool:
        if self._turns:
            self._turns.popleft().release()
            return True
        return False

    def _give_up(self, turn: threading.Lock) -> bool:
        """Whether the turn had not come after all, between the timeout and now."""
        with self._mutex:
            if turn not in self._turns:
                return False
            self._turns.remove(turn)
            return True
