"""The gateway beside a direct kept-alive call to the same upstream, and its memory, in one run.

The upstream has TLS. First the API is a stand-in in this process, which answers an admission at
once, so the added latency is that of the carrier and of one call over a Unix socket. Then it is the
real one, which writes the use of each request to a disk. On a busy machine the processor time of
the workers says more. Calls go directly and through the gateway in turns. Memory is that of all
workers (proportional set size), before and while idle streams of events are open, each of them over
a connection of its own to the upstream.

    python -m tests.benchmarks.gateway.latency
"""

import http.client
import resource
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from tests.benchmarks.gateway.chain import chain, used
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.api import CONFIG, TOKEN
from tests.support.gateway.process import Process, gateway_process
from tests.support.gateway.recorder import Connection, Received, Recorder, hello
from tests.support.waiting import wait_until

_PROMPT = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"word " * 200 + b'"}]}'
_EVENT = b'data: {"type": "content_block_delta", "delta": {"text": "Hello"}}\n\n'
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT)
)
_TOKENS = 100
_FILES = 16_384
_DISK = "/var/tmp"  # noqa: S108 - it is in no memory


@click.command()
@click.option("--calls", default=300, show_default=True, help="Calls each way.")
@click.option("--streams", default=1000, show_default=True, help="Idle streams.")
@click.option("--workers", default=2, show_default=True)
def main(calls: int, streams: int, workers: int) -> None:
    """Print latencies and memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _FILES), hard))
    with _gateway(workers) as (process, certificate):
        upstream = process.rig.upstream
        way = _Way(f"http://127.0.0.1:{process.rig.port}/{CONFIG}", TOKEN, process.workers)
        _show_latencies(way, upstream, certificate, calls)
        with (
            tempfile.TemporaryDirectory(prefix="strongroom-bench-", dir=_DISK) as name,
            chain(Path(name), upstream.port, certificate) as real,
        ):
            click.echo("with the real API:")
            way = _Way(real.url, real.tokens[0], real.workers)
            _show_latencies(way, upstream, certificate, calls)
        upstream.answer = _stream_for_ever
        _show_memory(process, streams)


@dataclass(frozen=True)
class _Way:
    """A gateway: the URL of a config, a token, and what lists its workers."""

    url: str
    token: str
    workers: Callable[[], Iterable[int]]


def _show_latencies(way: _Way, upstream: Recorder, certificate: Certificate, calls: int) -> None:
    upstream.answer = hello
    _show_latency("whole answer", way, upstream, certificate, calls, lambda each: each.read())
    upstream.answer = _stream_for_ever
    _show_latency("first event", way, upstream, certificate, calls, lambda each: each.read1(1))
    _show_leaving(way, upstream, calls // 3)


def _show_leaving(way: _Way, upstream: Recorder, calls: int) -> None:
    """Print the time from the end of a client to that of the connection to the upstream."""
    seen = threading.Event()
    left_at = [0.0]

    async def answer(connection: Connection, received: Received) -> None:
        await _stream_for_ever(connection, received)
        left_at[0] = time.perf_counter()
        seen.set()

    upstream.answer = answer
    parts, taken = urlsplit(way.url), []
    for _ in range(calls):
        seen.clear()
        client = http.client.HTTPConnection(parts.netloc)
        client.request("GET", f"{parts.path}/v1", headers={"Authorization": f"Bearer {way.token}"})
        response = client.getresponse()
        response.read1(1)
        began = time.perf_counter()
        response.close()
        client.close()
        seen.wait()
        taken.append((left_at[0] - began) * 1000)
    click.echo(
        f"client gone, upstream closed: p50 {statistics.median(taken):.1f} ms, "
        f"at most {max(taken):.1f} ms"
    )


@contextmanager
def _gateway(workers: int) -> Iterator[tuple[Process, Certificate]]:
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        directory = Path(name)
        made = make_certificate(directory, "127.0.0.1", "localhost")
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(made.file, made.key_file)
        ca_file = str(made.ca_file)
        with gateway_process(
            directory, workers=workers, tls=tls, STRONGROOM_GATEWAY_CA_FILE=ca_file
        ) as process:
            process.rig.api.answer["in_flight"] = 1000
            yield process, made


def _show_latency(
    what: str,
    way: _Way,
    upstream: Recorder,
    certificate: Certificate,
    calls: int,
    read: Callable[[http.client.HTTPResponse], object],
) -> None:
    tls = ssl.create_default_context(cafile=str(certificate.ca_file))
    direct = http.client.HTTPSConnection("127.0.0.1", upstream.port, context=tls)
    parts = urlsplit(way.url)
    through = http.client.HTTPConnection(parts.netloc)
    times: dict[str, list[float]] = {"": [], parts.path: []}
    began_with = used(way.workers())
    for _ in range(calls):
        for prefix, client in (("", direct), (parts.path, through)):
            began = time.perf_counter()
            client.request(
                "POST", f"{prefix}/v1/x", _PROMPT, {"Authorization": f"Bearer {way.token}"}
            )
            response = client.getresponse()
            read(response)
            times[prefix].append(time.perf_counter() - began)
            if not response.isclosed():
                client.close()
    spent = (used(way.workers()) - began_with) * 1000 / calls
    base, measured = (statistics.median(each) * 1000 for each in times.values())
    click.echo(
        f"{what}: p50 {measured:.2f} ms through the gateway, {base:.2f} ms directly; "
        f"{measured - base:.2f} ms more, {measured / base:.1f} times; "
        f"{spent:.1f} ms of processor time"
    )


def _show_memory(process: Process, streams: int) -> None:
    before = _memory(process)
    with ExitStack() as open_streams:
        for number in range(streams):
            client = open_streams.enter_context(
                socket.create_connection(("127.0.0.1", process.rig.port))
            )
            token = f"gws_{'A' * 22}_{number % _TOKENS:022d}_{'C' * 49}"
            line = f"GET /{CONFIG}/v1 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {token}\r\n\r\n"
            client.sendall(line.encode())
            received = b""
            while _EVENT not in received:
                received += client.recv(65536)
        wait_until(lambda: len(process.rig.upstream.requests) >= streams)
        used = _memory(process)
    click.echo(
        f"{streams} idle streams of {_TOKENS} tokens in {len(process.workers())} workers: "
        f"{used:.0f} MB in all, {(used - before) * 1024 / streams:.0f} KiB a stream"
    )


async def _stream_for_ever(connection: Connection, _: Received) -> None:
    await connection.send(_HEAD)
    await connection.until_closed()


def _memory(process: Process) -> float:
    """Return the proportional set size of all workers and their master, in MiB."""
    kibibytes = 0
    for each in (process.popen.pid, *process.workers()):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        kibibytes += next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
    return kibibytes / 1024


if __name__ == "__main__":
    main()
