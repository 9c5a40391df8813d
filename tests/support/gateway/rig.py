"""The three processes of a request in one loop: an API, a gateway and an upstream."""

import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from aiohttp import web

from app.domain.redaction import Redacted
from app.gateway.process import running_gateway
from app.gateway.traffic import Traffic
from app.gateway.uses import Pace
from config import Settings, load
from tests.support.gateway.api import CONFIG, KEY, TOKEN, Api, api
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import Recorder, recorder

_SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """A response to a client."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    is_whole: bool = True

    @property
    def code(self) -> str:
        """The code of one of our refusals."""
        assert self.headers["x-strongroom-gateway"] == "refused"
        code: str = json.loads(self.body)["code"]
        return code


@dataclass(repr=False)
class Rig:
    """A running gateway between its neighbours."""

    thread: LoopThread
    api: Api
    upstream: Recorder
    port: int
    config: str = CONFIG

    def call(
        self,
        method: str = "GET",
        path: str = "/v1/x",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        *,
        token: str | None = TOKEN,
        config: str = CONFIG,
    ) -> Reply:
        """Send one request as a client of a vendor does."""
        given = dict(headers or {})
        if token is not None:
            given.setdefault("Authorization", f"Bearer {token}")
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        ) as client:
            client.request(method, f"/{config}{path}", body=body, headers=given)
            response = client.getresponse()
            try:
                return Reply(response.status, response.headers, response.read())
            except http.client.IncompleteRead as error:
                return Reply(response.status, response.headers, error.partial, is_whole=False)

    @contextmanager
    def stream(self) -> Iterator[http.client.HTTPResponse]:
        """Yield a response whose body was not read; hang up at the end."""
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        ) as client:
            client.request("GET", f"/{CONFIG}/v1", headers={"Authorization": f"Bearer {TOKEN}"})
            with closing(client.getresponse()) as response:
                yield response

    def raw(self, data: bytes) -> bytes:
        """Send bytes whose last request ends the connection; return all that comes."""
        with self.connected() as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Yield a bare connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_SECONDS) as client:
            yield client


def settings(directory: Path, **environment: str) -> Settings:
    """The settings of a gateway whose home is the directory, with all of loopback open."""
    return load(
        {
            "STRONGROOM_HOME": str(directory),
            "STRONGROOM_GATEWAY_URL": "http://127.0.0.1:8081",
            "STRONGROOM_GATEWAY_SOCKET": str(directory / "admission.sock"),
            "STRONGROOM_GATEWAY_NETWORKS": str(ip_network("127.0.0.0/8")),
            **environment,
        }
    )


@contextmanager
def rig(
    directory: Path,
    *,
    recheck_seconds: float = 3600.0,
    tls: ssl.SSLContext | None = None,
    own: frozenset[Any] = frozenset(),
    traffic: Traffic | None = None,
    **environment: str,
) -> Iterator[Rig]:
    """Start all three; the upstream is admitted."""
    chosen = settings(directory, **environment)
    with (
        LoopThread() as thread,
        thread.entered(recorder(tls)) as upstream,
        thread.entered(api(directory)) as admissions,
        thread.entered(_gateway(chosen, recheck_seconds, own, traffic)) as port,
    ):
        admissions.admit_to(upstream.port, scheme="http" if tls is None else "https")
        yield Rig(thread, admissions, upstream, port)


@asynccontextmanager
async def _gateway(
    chosen: Settings, recheck_seconds: float, own: frozenset[Any], traffic: Traffic | None
) -> AsyncIterator[int]:
    pace = Pace(recheck=recheck_seconds, report=0.01)
    async with running_gateway(chosen, Redacted(KEY), own, pace, traffic) as listener:
        runner = web.ServerRunner(listener, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
