"""The gunicorn worker: threads serve requests, and hold no thread for a client that does not.

A connection that has sent nothing yet, that is kept alive, that has no HTTP/2 stream, or whose end
the client has not seen, waits in the main thread's poller. The main thread never waits for one.
"""

import logging
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from select import POLLIN, poll
from socket import socket
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.http2.errors import HTTP2ConnectionError, HTTP2Error, HTTP2ErrorCode, HTTP2StreamError
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from app.observability.logs import is_for_people
from app.server.connection import Connection
from app.server.greeting import greet_when_ready
from app.server.http2 import Http2Connection, Turns
from app.server.refusal import refuse
from config import in_force

_LOG = logging.getLogger("strongroom.worker")

_HEAD_START_S = 0.0003  # for each connection held: longer than it takes to wake up
_LONGEST_HEAD_START_S = 0.002
_NEXT_REQUEST_MS = 2
_FIRST_BYTE_SECONDS = 10.0
_NEW_SECONDS = 1.0
_LINGER_SECONDS = 2.0
_OUT_OF_FILES_S = 0.05
_ROOM = 16
_CLOSING_S = 12
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads that serve HTTP/1.1 and HTTP/2."""

    def init_process(self) -> None:
        """Serve until the end, however that comes, then close the application.

        gunicorn kills a worker that takes longer than its grace. Requests get the part of it that
        closing does not need.
        """
        self._turns: Turns[Connection] = Turns(max(1, self.cfg.threads // 4))
        self._idle_http2: deque[Connection] = deque()
        self._lingering: deque[Connection] = deque()
        self._wants_room = False
        self.cfg.set("graceful_timeout", max(1, self.cfg.graceful_timeout - _CLOSING_S))
        try:
            super().init_process()
        finally:
            self._close_application()

    def run(self) -> None:
        """Serve. The first worker of a server that was started on a terminal greets."""
        if self.age == 1 and is_for_people() and (settings := in_force.settings):
            greet_when_ready(settings)
        super().run()

    def _close_application(self) -> None:
        for number in _ENDINGS:  # closing takes a few seconds at most
            signal.signal(number, signal.SIG_IGN)
        application = getattr(self, "wsgi", None)
        if application is None:
            return
        try:
            application.close()
        except Exception as error:  # noqa: BLE001 - gunicorn would log its text
            _LOG.error("closing_failed", exc_info=error)

    # The main thread's part.

    def accept(self, listener: socket) -> None:
        """Accept a connection, unless a worker that holds fewer does so first.

        Whoever wakes first would otherwise take most of those that stay open, and work while
        another idles.
        """
        time.sleep(min(self.nr_conns * _HEAD_START_S, _LONGEST_HEAD_START_S))
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError | ConnectionAbortedError):
                _LOG.warning("connection_not_accepted", exc_info=error)
                self._wants_room = True  # gunicorn would end the worker
                time.sleep(_OUT_OF_FILES_S)
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, accepted, client, listener.getsockname())
        connection.timeout = time.monotonic() + _FIRST_BYTE_SECONDS
        self.pending_conns.append(connection)
        self._watch(connection, partial(self.on_pending_socket_readable, connection))

    def enqueue_req(self, conn: Connection) -> None:
        """Give a connection that has sent something a thread, or a place in HTTP/2's line."""
        if conn.is_http2:
            conn.has_turn = self._turns.take(conn)
            if not conn.has_turn:
                return
        super().enqueue_req(conn)

    def finish_request(self, conn: Connection, fs: "Future[object]") -> None:
        """Do what comes after a thread was done with a connection."""
        if conn.is_http2:
            conn.has_turn = False
            following = self._turns.give_back(conn)
            if following is not None:
                following.has_turn = True
                super().enqueue_req(following)
        if fs.cancelled() or fs.exception() is not None or not fs.result():
            self._part(conn)
        elif conn.is_http2:
            self._keep_http2(conn)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """End what waits for too long; gunicorn calls this each time it has handled events."""
        super().murder_pending()
        if self._wants_room:
            self._make_room()
        now = time.monotonic()
        while self._lingering and self._lingering[0].timeout <= now:
            self._unwatch(self._lingering[0])
            self._drop(self._lingering.popleft())
        while self._idle_http2 and self._idle_http2[0].timeout <= now:
            connection = self._idle_http2.popleft()
            self._unwatch(connection)
            self._finish_http2(connection)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - as in the base class
        """Stop accepting only where no connection that waits can be given up for a new one."""
        if not enabled and self.alive:
            self._make_room()
            enabled = self.nr_conns < self.worker_connections
        super().set_accept_enabled(enabled)

    def _make_room(self) -> None:
        """Give up connections that nobody uses now, those that have waited longest first.

        Not while events are handled: the next one may be of such a connection. Those of the proxy
        are the last but for new ones, since the requests of everybody else come over them.
        """
        self._wants_room = False
        of_a_new_one = time.monotonic() + _FIRST_BYTE_SECONDS - _NEW_SECONDS
        silent = [each for each in self.pending_conns if each.timeout < of_a_new_one]
        kept = self.keepalived_conns
        for waiting, connections in (
            (self._lingering, list(self._lingering)),
            (self.pending_conns, silent),
            (self._idle_http2, list(self._idle_http2)),
            (kept, [each for each in kept if each.is_direct]),
            (kept, list(kept)),
            (self.pending_conns, list(self.pending_conns)),
        ):
            if connections:
                self._give_up(waiting, connections)
                return

    def _give_up(self, waiting: deque[Connection], connections: list[Connection]) -> None:
        for connection in connections[:_ROOM]:
            self._unwatch(connection)
            waiting.remove(connection)
            self._drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Give clients of a worker that stops a moment for what they may be sending already."""
        super()._cap_keepalive(deadline)
        for connection in (*self.pending_conns, *self._idle_http2):
            connection.timeout = min(connection.timeout, deadline)

    def _keep_http2(self, connection: Connection) -> None:
        if connection.parser.has_work:
            self.enqueue_req(connection)
        elif connection.parser.is_idle_too_long or not self.alive:
            self._finish_http2(connection)
        else:
            connection.timeout = connection.parser.close_by
            self._idle_http2.append(connection)
            self._watch(connection, partial(self._on_http2_readable, connection))

    def _on_http2_readable(self, connection: Connection, _: object) -> None:
        self._unwatch(connection)
        self._idle_http2.remove(connection)
        self.enqueue_req(connection)

    def _finish_http2(self, connection: Connection) -> None:
        connection.parser.finish()
        self._part(connection)

    def _part(self, connection: Connection) -> None:
        """End a connection; leave the client a moment to see the end."""
        if connection.half_close():
            self._drop(connection)
            return
        connection.timeout = time.monotonic() + _LINGER_SECONDS
        self._lingering.append(connection)
        self._watch(connection, partial(self._on_lingering_readable, connection))

    def _on_lingering_readable(self, connection: Connection, _: object) -> None:
        if connection.drain():
            self._unwatch(connection)
            self._lingering.remove(connection)
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self.nr_conns -= 1
        connection.close()

    def _watch(self, connection: Connection, then: Callable[[object], None]) -> None:
        self.poller.register(connection.sock, selectors.EVENT_READ, then)

    def _unwatch(self, connection: Connection) -> None:
        self.poller.unregister(connection.sock)

    # The serving threads' part.

    def handle(self, conn: Connection) -> object:
        """Serve a request, and those that its client sends at once after the answer.

        The way back to the thread that waits for all connections, and from there to a serving one
        again, takes as long as reading a secret. There is a thread for each connection that stays.
        """
        conn.sock.begin()
        reusable = super().handle(conn)
        while reusable is True and not conn.is_http2 and self._goes_on(conn):
            conn.sock.begin()
            reusable = super().handle(conn)
        return reusable

    def _goes_on(self, conn: Connection) -> bool:
        if not self.alive or self.nr_conns > self.cfg.threads:
            return False
        next_request = poll()
        next_request.register(conn.sock, POLLIN)
        return bool(next_request.poll(_NEXT_REQUEST_MS))

    def handle_error(self, req: object, client: socket, addr: object, exc: Exception) -> None:  # noqa: ARG002
        """Answer what never became a request, or failed outside the application."""
        refusal = refuse(exc)
        try:
            write_nonblock(client, refusal.as_http1())
        except OSError:
            _LOG.debug("client_gone", extra={"request_id": refusal.request_id})

    def handle_http2(self, conn: Connection) -> bool:
        """Serve the streams that are here; return whether the connection stays."""
        if not conn.has_turn:
            return True
        try:
            self._serve_streams(conn, conn.parser)
        except (NoMoreData, HTTP2Error, OSError):
            return False
        except Exception as error:  # noqa: BLE001 - gunicorn would log its text
            _LOG.error("http2_failed", exc_info=error)
            return False
        return not conn.parser.is_closed

    def _serve_streams(self, conn: Connection, http2: Http2Connection) -> None:
        """Serve one stream after the other, unless another connection waits for its turn."""
        requests = deque(http2.receive_data())
        while requests and not http2.is_closed:
            request = requests.popleft()
            conn.sock.begin()
            self._serve_http2_stream(request, conn, http2)
            http2.note_served(request.stream.stream_id)
            if self._turns.are_waited_for:
                http2.pending_requests.extendleft(reversed(requests))
                return
            if not requests and (http2.has_work or self._goes_on(conn)):
                requests.extend(http2.receive_data())

    def handle_http2_request(self, req: Any, conn: Connection, h2_conn: Http2Connection) -> None:  # noqa: ANN401
        """Answer what failed outside the application; malformed streams are reset by gunicorn."""
        try:
            super().handle_http2_request(req, conn, h2_conn)
        except (HTTP2ConnectionError, HTTP2StreamError):
            raise
        except Exception as error:  # noqa: BLE001 - gunicorn would send its text
            refusal = refuse(error)
            stream = req.stream
            if stream.response_headers_sent:
                h2_conn.abort_stream(stream.stream_id, HTTP2ErrorCode.INTERNAL_ERROR)
            else:
                h2_conn.send_response(
                    stream.stream_id, refusal.status.value, refusal.headers, refusal.body
                )
