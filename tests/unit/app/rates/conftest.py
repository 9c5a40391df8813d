"""A clock that only the test moves, and a real Redis server."""

from collections.abc import Iterator

import pytest

from tests.support.redis import RedisServer, redis_server


class Seconds:
    """A clock of seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server
