"""The gateway's process: how it starts, ends, starts again, and what it writes."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway.api import CREDENTIAL, TOKEN
from tests.support.gateway.process import Process, gateway_process
from tests.support.gateway.recorder import Connection, Received, two_parts
from tests.support.waiting import wait_until


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with gateway_process(tmp_path, STRONGROOM_LOG_LEVEL="DEBUG") as running:
        yield running


def test_a_stream_under_way_ends_before_the_process_does(process: Process) -> None:
    taken = threading.Event()
    process.rig.upstream.answer = two_parts(taken)
    with process.rig.stream() as response:
        assert response.read(9) == b"data: 1\n\n"
        process.signal(signal.SIGTERM)
        wait_until(lambda: _refuses(process))
        taken.set()
        assert response.read() == b"data: 2\n\n"
    assert process.popen.wait(60) == 0
    assert process.rig.api.end()["bytes_out"] == 18


def test_a_stream_goes_on_while_the_process_starts_again(process: Process) -> None:
    taken = threading.Event()
    before = process.workers()
    process.rig.upstream.answer = two_parts(taken)
    with process.rig.stream() as response:
        assert response.read(9) == b"data: 1\n\n"
        process.signal(signal.SIGHUP)
        wait_until(lambda: bool(process.workers() - before))
        wait_until(lambda: process.rig.call(token=None).status == 401)
        taken.set()
        assert response.read() == b"data: 2\n\n"
    wait_until(lambda: before.isdisjoint(process.workers()))


def test_nothing_that_it_carries_is_logged(process: Process) -> None:
    """With faults on, at the most detailed level."""
    upstream, admissions = process.rig.upstream, process.rig.api
    body = b'{"prompt": "canary-of-a-body"}'
    process.rig.call("POST", "/v1?q=canary-of-a-query", body=body)

    async def broken(connection: Connection, _: Received) -> None:
        await connection.send(f"HTTP/1.1 {CREDENTIAL} X\r\n\r\n".encode())

    async def cut_off(connection: Connection, _: Received) -> None:
        await connection.send(
            f"HTTP/1.1 200 X\r\nContent-Length: 9\r\nX: {CREDENTIAL}\r\n\r\n".encode()
        )
        connection.writer.close()

    for answer in (broken, cut_off):
        upstream.answer = answer
        process.rig.call("POST", "/v1?q=canary-of-a-query", body=body)
    admissions.admit_to(upstream.port, set=[["X-Key", f"{CREDENTIAL}\n"]])
    process.rig.call()
    admissions.answer = {"origin": CREDENTIAL}
    process.rig.call()
    admissions.refusal = (500, {"code": CREDENTIAL}, {})
    process.rig.call()
    line = (
        f"GET /x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {TOKEN}\r\nX: canary-of-a-header\x01"
    )
    process.rig.raw(f"{line}\r\n\r\n".encode())
    process.signal(signal.SIGTERM)
    process.popen.wait(60)
    written = process.log.read_text()
    assert "admission_unavailable" in written
    assert "canary" not in written
    assert "gws_" not in written
    assert TOKEN[30:60] not in written


def test_it_does_not_start_without_its_key(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="STRONGROOM_GATEWAY_KEY_FILE"),
        gateway_process(tmp_path, STRONGROOM_GATEWAY_KEY_FILE=str(tmp_path / "none")),
    ):
        pass


def _refuses(process: Process) -> bool:
    try:
        process.rig.call(token=None)
    except OSError:
        return True
    return False
