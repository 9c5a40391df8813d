"""Tries the hosts of an address in turn, and begins with the one that was the primary last.

A machine that is gone answers nothing, so each try at it takes two seconds. libpq would begin with
the first host every time, and with several such machines would take longer than a request may.
"""

import time
from collections.abc import Callable

import psycopg

from app.repository.postgresql.address import Address
from app.repository.postgresql.connections import BoundedConnection
from app.repository.postgresql.finding.resolving import resolve
from backends.calls.request_deadline import seconds_remaining

LONGEST_S = 4.0
"""No further host is tried after this."""


class Hosts:
    """The hosts of an address, one of which is the primary.

    Args:
        address: Lists them. The addresses of a name are looked up each time.
        connect: Connects to the only host of an address.
    """

    def __init__(self, address: Address, connect: Callable[[Address], BoundedConnection]) -> None:
        self._address = address
        self._connect = connect
        self._first = 0

    def connect(self) -> BoundedConnection:
        """Connect to the primary.

        Raises:
            psycopg.Error: No host that could be tried in time is the primary. The text may name it.
        """
        end = time.monotonic() + seconds_remaining(LONGEST_S)
        places = resolve(self._address)
        first, number = self._first, len(places)
        for step in range(number):
            place = (first + step) % number
            try:
                connection = self._connect(places[place])
            except psycopg.Error:
                if step + 1 == number or time.monotonic() >= end:
                    # The next try begins with those that had no turn.
                    self._first = (place + 1) % number
                    raise
            else:
                self._first = place
                return connection
        raise AssertionError("an address has a host")
