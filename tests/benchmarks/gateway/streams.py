"""The rate of the Secrets API while slow streams run through the gateway, in one run.

Both are as shipped, on one machine. Each round measures GET of a secret without streams, then while
they run. A stream sends an event now and then; a measurement is longer than the 20 seconds after
which the gateway asks about all running streams once more. On a busy machine the streams take their
processor time from a smaller share, and the ratio says little. So the processor time of a GET in
the API's workers is compared, too, with that of the gateway's workers beside it.

    python -m tests.benchmarks.gateway.streams
"""

import asyncio
import os
import resource
import socket
import ssl
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from app.domain.gateways.uses import GatewayUse
from app.domain.secrets import SecretValue
from tests.benchmarks import wrk
from tests.benchmarks.gateway.chain import Chain, chain, used
from tests.benchmarks.wrk import Load
from tests.support.certificates import make_certificate
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import Connection, Received, recorder
from tests.support.waiting import wait_until

_EVENT = b'data: {"type": "content_block_delta", "delta": {"text": "Hello"}}\n\n'
_CHUNK = b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_READ = "READ"
_TOKENS = 50
_FILES = 16_384


@click.command()
@click.option("--streams", default=500, show_default=True)
@click.option("--every", default=2.0, show_default=True, help="Seconds between two events.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=22, show_default=True, help="Of each measurement.")
def main(streams: int, every: float, rounds: int, seconds: int) -> None:
    """Print the rate of GET beside streams as a part of the rate without."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _FILES), hard))
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-bench-", dir="/var/tmp") as name,
        _running(Path(name), every) as running,
    ):
        header = f"Authorization: Bearer {running.api.token}"
        url = f"{running.api.url}/v1/secrets/{_READ}"

        def get() -> _Measured:
            before, began = used(_api_workers()), used(running.workers())
            load = wrk.run(url, Path(name), seconds=seconds, headers=[header])
            api = used(_api_workers()) - before
            gateway = used(running.workers()) - began
            return _Measured(load, api * 1000 / (load.rate * seconds), gateway / seconds)

        bases, loads = [], []
        for number in range(1, rounds + 1):
            bases.append(get())
            with _streaming(running, streams):
                loads.append(get())
            rates = [each[-1].load.rate for each in (bases, loads)]
            click.echo(f"round {number}: {rates[0]:.0f}/s, then {rates[1]:.0f}/s")
        bases.append(get())
    _show([each.load for each in bases], [each.load for each in loads], streams, every)
    _show_processor_time(bases, loads)


class _Measured(NamedTuple):
    """One measurement.

    Attributes:
        get_ms: The processor time of the API's workers for one GET, in milliseconds.
        gateway: The part of one core that the gateway's workers took.
    """

    load: Load
    get_ms: float
    gateway: float


def _show_processor_time(bases: list[_Measured], loads: list[_Measured]) -> None:
    get_ms, base_ms = (statistics.median(each.get_ms for each in found) for found in (loads, bases))
    gateway = statistics.median(each.gateway for each in loads)
    click.echo(
        f"processor time of a GET: {get_ms:.3f} ms beside {base_ms:.3f} ms without streams; "
        f"the gateway took {gateway:.1%} of a core"
    )


def _show(bases: list[Load], loads: list[Load], streams: int, every: float) -> None:
    """Print each load beside the mean of the bases before and after it."""
    ratios = sorted(
        load.rate / ((before.rate + after.rate) / 2)
        for load, before, after in zip(loads, bases, bases[1:], strict=False)
    )
    rate, base = (statistics.median(each.rate for each in found) for found in (loads, bases))
    p99, base_p99 = (statistics.median(each.p99 for each in found) for found in (loads, bases))
    click.echo(
        f"GET of a secret beside {streams} streams, an event each {every:g} s: "
        f"{statistics.median(ratios):.3f} of its rate "
        f"({ratios[0]:.3f} to {ratios[-1]:.3f}); {rate:.0f}/s beside {base:.0f}/s; "
        f"p99 {p99:.1f} ms beside {base_p99:.1f} ms"
    )


@contextmanager
def _running(directory: Path, every: float) -> Iterator[Chain]:
    certificate = make_certificate(directory, "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.file, certificate.key_file)

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(_HEAD)
        while True:
            await connection.send(_CHUNK)
            await asyncio.sleep(every)

    with LoopThread() as thread, thread.entered(recorder(tls)) as upstream:
        upstream.answer = answer
        with chain(directory, upstream.port, certificate, _TOKENS) as running:
            running.api.services.secrets.create(
                running.api.caller, _READ, SecretValue("a value"), None
            )
            yield running


@contextmanager
def _streaming(running: Chain, count: int) -> Iterator[None]:
    """Keep streams open, whose events nobody reads: they fit into buffers of the kernel."""
    parts = urlsplit(running.url)
    assert parts.hostname is not None
    assert parts.port is not None
    with ExitStack() as streams:
        for number in range(count):
            place = (parts.hostname, parts.port)
            client = streams.enter_context(socket.create_connection(place, timeout=60))
            token = running.tokens[number % _TOKENS]
            head = f"GET {parts.path}/v1 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {token}\r\n"
            client.sendall(f"{head}\r\n".encode())
            received = b""
            while _EVENT not in received:
                piece = client.recv(65536)
                assert piece, received
                received += piece
        yield
    wait_until(lambda: not _open_uses(running, count))


def _api_workers() -> list[int]:
    """Return the process ids of the API's workers, whose master is a child of this process."""
    for each in _children(os.getpid()):
        if b"wsgi:app" in Path(f"/proc/{each}/cmdline").read_bytes():
            return _children(each)
    raise ProcessLookupError


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [*map(int, found.split())]


def _open_uses(running: Chain, count: int) -> bool:
    """Return True until the gateway has reported the ends of the latest uses."""
    page = running.api.services.gateway_use_list.list(running.api.caller, None, count, None)
    return any(isinstance(each, GatewayUse) and each.status is None for each in page.uses)


if __name__ == "__main__":
    main()
