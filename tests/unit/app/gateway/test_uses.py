"""Requests under way: asked about, cut off, counted and reported."""

import asyncio
import http.client
import threading
from collections.abc import Iterator

import pytest

from tests.support.gateway.api import OTHER_TOKEN
from tests.support.gateway.recorder import Connection, Received, hello
from tests.support.gateway.rig import Rig, rig
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A gateway that asks about its uses all the time."""
    with rig(tmp_path_factory.mktemp("asking"), recheck_seconds=0.02) as running:
        yield running


@pytest.fixture
def fresh(asking: Rig) -> Rig:
    """The same, with nothing recorded and everything admitted."""
    asking.upstream.clear()
    asking.api.asked.clear()
    asking.api.admit_to(asking.upstream.port)
    return asking


def test_a_stream_whose_token_ended_is_cut_off_on_both_sides(fresh: Rig) -> None:
    closed = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        await connection.until_closed()
        closed.set()

    fresh.upstream.answer = answer
    with fresh.stream() as response:
        assert response.read(9) == b"data: 1\n\n"
        fresh.api.over = {fresh.api.last_use: "gateway_token_refused"}
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    assert closed.wait(30)
    assert fresh.api.end()["status"] == 200


def test_a_request_whose_token_ended_before_its_answer_is_refused_with_the_reason(
    fresh: Rig,
) -> None:
    closed = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        fresh.api.over = {"*": "secret_gone"}
        await connection.until_closed()
        closed.set()

    fresh.upstream.answer = answer
    reply = fresh.call()
    assert (reply.status, reply.code) == (403, "secret_gone")
    assert closed.wait(30)


def test_a_stream_goes_on_while_the_api_is_away(fresh: Rig) -> None:
    taken = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await asyncio.to_thread(taken.wait)
        await connection.send(b"cd")

    fresh.upstream.answer = answer
    before = fresh.api.rechecks
    fresh.api.is_away = True
    with fresh.stream() as response:
        assert response.read(2) == b"ab"
        wait_until(lambda: fresh.api.rechecks > before + 2)
        taken.set()
        assert response.read() == b"cd"
    fresh.api.is_away = False


def test_an_end_is_reported_with_what_was_carried(fresh: Rig) -> None:
    fresh.call("POST", body=b"12345678")
    end = fresh.api.end()
    assert end | {"milliseconds": 0} == {
        "use": fresh.api.last_use,
        "status": 200,
        "bytes_in": 8,
        "bytes_out": 5,
        "milliseconds": 0,
        "scrub_hits": 0,
    }


def test_an_end_without_an_answer_is_reported_with_status_0(fresh: Rig) -> None:
    fresh.api.admit_to(1)
    fresh.call()
    assert fresh.api.end()["status"] == 0


def test_ends_that_could_not_be_reported_wait(fresh: Rig) -> None:
    fresh.api.is_away = True
    before = fresh.api.refused_reports
    fresh.call()
    wait_until(lambda: fresh.api.refused_reports > before)
    fresh.api.is_away = False
    assert fresh.api.end()["status"] == 200


def test_a_token_has_no_more_requests_under_way_than_it_may(fresh: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await connection.until_closed()

    fresh.upstream.answer = answer
    fresh.api.admit_to(fresh.upstream.port, in_flight=2)
    with fresh.stream(), fresh.stream():
        reply = fresh.call()
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert reply.headers["Retry-After"] == "1"
        fresh.upstream.answer = hello
        assert fresh.call(token=OTHER_TOKEN).status == 200
    wait_until(lambda: fresh.call().status == 200)


def test_a_process_has_no_more_requests_under_way_than_it_may(
    fresh: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.uses.MAX_REQUESTS", 0)
    reply = fresh.call()
    assert (reply.status, reply.code) == (503, "gateway_busy")
    assert not fresh.api.asked
