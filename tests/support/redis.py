"""A real Redis server on a Unix socket, without a file."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from tests.support.programs import require
from tests.support.waiting import wait_until

_STOP_SECONDS = 20


class RedisServer:
    """One server, which may be stopped and started again.

    Attributes:
        url: As ``STRONGROOM_RATE_LIMIT_STORE`` takes it.
    """

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis+unix://{self._socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [require("redis-server"), "--port", "0", "--unixsocket", self._socket, "--save", ""],
            cwd=self._socket.parent,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        """Kill it, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def clear(self) -> None:
        """Forget everything."""
        with redis.Redis(unix_socket_path=str(self._socket)) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self._socket)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    with TemporaryDirectory(prefix="strongroom-redis-") as directory:
        server = RedisServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()
