"""Clients that write through two nodes while something fails, and the responses that they got.

All of them are as shipped: the official Python and JavaScript clients with their own retries and
request ids, and the client that redeems.
"""

import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from secrets import token_urlsafe
from threading import Event, Thread
from typing import Any

from runloop_api_client import APIStatusError, Runloop

from app.client.redeem import Client, Refused, RefusedByServer
from tests.support.javascript import JavaScript
from tests.support.waiting import wait_until

_VALUE = "a value"
_PAUSE_SECONDS = 0.02
_REDEEM_SECONDS = 55.0
_PATIENCE_SECONDS = 240.0
_NAME_EXISTS = "secret_name_exists"


@dataclass(frozen=True, slots=True)
class Response:
    """The end of one request, after all retries of its client.

    Attributes:
        kind: ``create``, ``update``, ``api key``, ``race``, ``redemption``, or ``failure``.
        name: The name of what was written.
        at: When it came, by the monotonic clock.
        retries: The number of times that the client repeated the request.
        error: The reason of a failure, or None.
    """

    kind: str
    name: str
    at: float
    retries: int = 0
    error: str | None = None


class Writer(ABC):
    """One client, and the responses that it got."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self._is_over = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way, and wait for that."""
        self._is_over.set()
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def note(self, kind: str, name: str, retries: int = 0, error: str | None = None) -> None:
        """Record the end of a request."""
        self.responses.append(Response(kind, name, time.monotonic(), retries, error))

    @abstractmethod
    def _run(self) -> None:
        """Write until it is over."""


class _InThisProcess(Writer):
    """Writes one round after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()

    def stop(self) -> None:
        """End after the round under way, wait for that, and close all connections."""
        super().stop()
        self._open.close()

    def open_client(self, url: str, api_key: str) -> Runloop:
        """An official client with connections of its own, until the end."""
        client = Runloop(base_url=url, bearer_token=api_key, shared_http_pool=False)
        return self._open.enter_context(client)

    def _run(self) -> None:
        number = 0
        while not self._is_over.wait(_PAUSE_SECONDS):
            try:
                self._write(number)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.note("failure", str(number), error=f"{type(error).__name__}: {error}")
            number += 1

    @abstractmethod
    def _write(self, number: int) -> None:
        """Write one round."""


class PythonWriter(_InThisProcess):
    """The official Python client: makes a secret, gives it another value, makes an API key."""

    def __init__(self, url: str, api_key: str, prefix: str) -> None:
        super().__init__()
        self._client = self.open_client(url, api_key)
        self._prefix = prefix

    def _write(self, number: int) -> None:
        name = f"{self._prefix}_{number}"
        secrets = self._client.secrets.with_raw_response
        keys = self._client.apikeys.with_raw_response
        self._record("create", name, lambda: secrets.create(name=name, value=_VALUE))
        self._record("update", name, lambda: secrets.update(name, value="another"))
        self._record("api key", name, lambda: keys.create(name=name))

    def _record(self, kind: str, name: str, call: Callable[[], Any]) -> None:
        try:
            self.note(kind, name, call().retries_taken)
        except APIStatusError as error:
            self.note(kind, name, error=f"{error.status_code}: {error.message}")


class JavaScriptWriter(Writer):
    """The official JavaScript client, which does the same."""

    def __init__(self, javascript: JavaScript, url: str, api_key: str, prefix: str) -> None:
        super().__init__()
        environ = {"RUNLOOP_BASE_URL": url, "RUNLOOP_API_KEY": api_key}
        self._process = javascript.start("writer.mjs", prefix, environ=environ)

    def stop(self) -> None:
        """End after the round under way, and wait for that."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        super().stop()

    def kill(self) -> None:
        """End it at once, and close its streams."""
        self._process.kill()
        with self._process:
            pass

    def _run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.note(**json.loads(line))
        code = self._process.wait()
        if code:
            self.note("failure", "node", error=f"exit code {code}")


class Racer(_InThisProcess):
    """Makes a secret of the same name through all nodes at once."""

    def __init__(self, urls: Sequence[str], api_key: str, prefix: str) -> None:
        super().__init__()
        self._clients = [self.open_client(url, api_key) for url in urls]
        self._prefix = prefix

    def _write(self, number: int) -> None:
        name = f"{self._prefix}_{number}"
        with ThreadPoolExecutor(len(self._clients)) as pool:
            ends = list(pool.map(lambda client: _create(client, name), self._clients))
        losers = sum(_NAME_EXISTS in (end or "") for end in ends)
        has_one_winner = ends.count(None) == 1 and losers == len(ends) - 1
        self.note("race", name, error=None if has_one_winner else str(ends))


class Redeemer(_InThisProcess):
    """Makes an injection, and redeems its token through all nodes at once."""

    def __init__(self, urls: Sequence[str], api_key: str, name: str) -> None:
        super().__init__()
        self._urls = urls
        self._client = self.open_client(urls[0], api_key)
        self._name = name

    def _write(self, number: int) -> None:
        if not number:
            self._client.secrets.create(name=self._name, value=_VALUE)
            self.note("create", self._name)
        body = {"secrets": {self._name: self._name}}
        made: Any = self._client.post("/v1/injections", body=body, cast_to=object)
        with ThreadPoolExecutor(len(self._urls)) as pool:
            ends = list(pool.map(lambda url: _redeem(url, made["token"]), self._urls))
        values = [end for end in ends if isinstance(end, dict)]
        is_single = values == [{self._name: _VALUE}] and ends.count(401) == len(ends) - 1
        self.note("redemption", made["id"], error=None if is_single else str(ends))


def _create(client: Runloop, name: str) -> str | None:
    """Make a secret. Returns None, or the refusal."""
    try:
        client.secrets.create(name=name, value=_VALUE)
    except APIStatusError as error:
        return f"{error.status_code}: {error.body}"
    return None


def _redeem(url: str, token: str) -> object:
    """Redeem as ``redeem.py`` does, with a nonce of its own. Returns values, or a status."""
    nonce = {"redeem_nonce": token_urlsafe(32)}
    try:
        return Client(url, token, _REDEEM_SECONDS).call(
            "/v1/injections/redeem", lambda document: document.get("environment"), nonce
        )
    except RefusedByServer as refused:
        return refused.status
    except Refused as failed:
        return failed.message


class Load:
    """Writers at work.

    Args:
        writers: All of them.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers

    @property
    def responses(self) -> list[Response]:
        """The responses that all of them got, in the order of time."""
        found = [each for writer in self._writers for each in writer.responses]
        return sorted(found, key=lambda response: response.at)

    def wait_for_each(self, responses: int) -> None:
        """Wait until each writer has got so many responses to requests of now or later."""
        # One more: the request under way is of before.
        counts = {each: len(each.responses) + responses + 1 for each in self._writers}
        wait_until(
            lambda: all(len(each.responses) >= count for each, count in counts.items()),
            _PATIENCE_SECONDS,
        )

    @property
    def failures(self) -> list[str]:
        """Requests that failed after all retries, and races without exactly one winner."""
        return [f"{each.kind} {each.name}: {each.error}" for each in self.responses if each.error]

    def acknowledged(self, kind: str) -> Counter[str]:
        """The names of what was acknowledged, with the number of times."""
        return Counter(each.name for each in self.responses if each.kind == kind and not each.error)

    def longest_gap(self, since: float) -> float:
        """The longest time without any response, in seconds."""
        times = [since, *(each.at for each in self.responses if each.at > since)]
        return max(later - earlier for earlier, later in pairwise(times))

    @property
    def retries(self) -> list[int]:
        """The number of retries of each request that was repeated."""
        return [each.retries for each in self.responses if each.retries]


@contextmanager
def load(javascript: JavaScript, urls: Sequence[str], api_key: str, prefix: str) -> Iterator[Load]:
    """All clients write through all nodes until the block ends."""
    with ExitStack() as stack:
        writers: list[Writer] = [
            Racer(urls, api_key, f"{prefix}_RACE"),
            Redeemer(urls, api_key, f"{prefix}_REDEEMED"),
        ]
        for number, url in enumerate(urls):
            writers.append(PythonWriter(url, api_key, f"{prefix}_PY_{number}"))
            script = JavaScriptWriter(javascript, url, api_key, f"{prefix}_JS_{number}")
            stack.callback(script.kill)
            writers.append(script)
        for writer in writers:
            writer.start()
        try:
            yield Load(writers)
        finally:
            with ThreadPoolExecutor(len(writers)) as pool:
                list(pool.map(lambda writer: writer.stop(), writers))


def assert_each_write_is_there_once(
    execute: Callable[[str], list[tuple[Any, ...]]], writing: Load, prefix: str
) -> None:
    """Compare the database with what clients were told.

    Args:
        execute: Runs a query on the database, and returns its rows.
    """
    named = f"WHERE name LIKE '{prefix}%'"
    secrets = dict(execute(f"SELECT name, version FROM secrets {named}"))
    made = writing.acknowledged("create") + writing.acknowledged("race")
    assert secrets == made + writing.acknowledged("update")
    keys = execute(f"SELECT name FROM api_keys {named}")
    assert Counter(name for (name,) in keys) == writing.acknowledged("api key")
    used = execute(
        f"SELECT id FROM injections WHERE state = 'redeemed' AND secrets LIKE '%{prefix}%'"
    )
    assert Counter(name for (name,) in used) == writing.acknowledged("redemption")
