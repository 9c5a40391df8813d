"""Slow and idle clients of every kind at once, through nginx and past it, stop nobody else."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import h2.config
import h2.connection
import httpx
import pytest

from tests.e2e.front.conftest import THREADS
from tests.e2e.front.http_2 import http_2
from tests.support.certificates import Certificate
from tests.support.nginx import Nginx
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

PATIENCE = 30.0
REQUESTS = 200
ELSEWHERE = "127.0.0.2"  # limits hold for an address
HELD_STREAMS = 100
SLOW = 100
IDLE = 70
DIRECT_NON_READERS = THREADS - 2  # each holds a thread for the bound of a response


@contextmanager
def plain(port: int, begin: bytes, number: int) -> Iterator[None]:
    """Direct connections that send something and then nothing, and take nothing."""
    with ExitStack() as stack:
        for _ in range(number):
            opened = stack.enter_context(socket.socket())
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            opened.settimeout(PATIENCE)
            opened.connect(("127.0.0.1", port))
            opened.sendall(begin)
        yield


@contextmanager
def secured(front: Nginx, trust: ssl.SSLContext, begin: bytes, number: int) -> Iterator[None]:
    """Connections over TLS that send something and then nothing."""
    trust.set_alpn_protocols(["http/1.1"])
    with ExitStack() as stack:
        for _ in range(number):
            raw = socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE)
            opened = stack.enter_context(trust.wrap_socket(raw, server_hostname="127.0.0.1"))
            opened.sendall(begin)
        yield


def preface() -> bytes:
    """The beginning of a connection of HTTP/2 in the clear."""
    http = h2.connection.H2Connection(h2.config.H2Configuration())
    http.initiate_connection()
    return http.data_to_send()


@pytest.fixture
def attacked(front: Nginx, backend: Strongroom, certificate: Certificate) -> Iterator[None]:
    """All of them are under way."""

    def fresh() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate.ca_file))

    port = int(backend.environment["PORT"])
    key = f"Authorization: Bearer {backend.api_key}\r\n"
    body = f"POST /v1/secrets HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 900\r\n\r\n{{"
    large = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    attacks: list[Callable[[], object]] = [
        lambda: stack.enter_context(secured(front, fresh(), b"GET / HTTP/1.1\r\nHost:", SLOW)),
        lambda: stack.enter_context(secured(front, fresh(), body.encode(), SLOW)),
        lambda: stack.enter_context(plain(port, preface(), IDLE)),
        lambda: stack.enter_context(plain(port, b"", IDLE)),
        lambda: stack.enter_context(plain(port, large, DIRECT_NON_READERS)),
    ]
    with ExitStack() as stack:
        slow = stack.enter_context(http_2(front, fresh(), window=0))
        for _ in range(HELD_STREAMS):
            slow.ask("GET", "/v1/secrets", [("authorization", f"Bearer {backend.api_key}")])
        for attack in attacks:
            attack()
        yield


@pytest.mark.usefixtures("attacked")
def test_every_request_from_elsewhere_is_served(
    front: Nginx, backend: Strongroom, trust: ssl.SSLContext
) -> None:
    transport = httpx.HTTPTransport(verify=trust, local_address=ELSEWHERE)
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    with httpx.Client(
        base_url=front.url, transport=transport, headers=headers, timeout=PATIENCE
    ) as client:
        statuses = {client.get("/v1/secrets").status_code for _ in range(REQUESTS)}
    assert statuses == {200}
