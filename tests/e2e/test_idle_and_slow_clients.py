"""Clients that send or take little or nothing hold no thread for long, without nginx in front."""

import resource
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPResponse
from tempfile import TemporaryDirectory

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest
import requests

from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

THREADS = 8
MANY = 4 * THREADS
LARGE = "/docs/swagger-ui-bundle.js"
ASKED = b"GET /healthz HTTP/1.1\r\nHost: strongroom\r\n\r\n"
ASKED_LARGE = f"GET {LARGE} HTTP/1.1\r\nHost: strongroom\r\n\r\n".encode()
WORKER_CONNECTIONS = 512
FEW_FILES = 100
SLOWLY = 0.5
PATIENCE = 30.0  # over the bound of a request and a response together


@pytest.fixture(scope="module")
def socket_path() -> Iterator[str]:
    """Short, since a socket's path is."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        yield f"{directory}/server.sock"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, socket_path: str) -> Iterator[Strongroom]:
    """One worker of few threads."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "STRONGROOM_BIND": f"127.0.0.1:{port} unix:{socket_path}",
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_THREADS": str(THREADS),
    }
    with running(tmp_path_factory.mktemp("small"), settings) as server:
        yield server


def port_of(server: Strongroom) -> int:
    return int(server.environment["PORT"])


def connect(server: Strongroom) -> socket.socket:
    """A connection that takes in as little ahead as the system lets it."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    opened.settimeout(PATIENCE)
    opened.connect(("127.0.0.1", port_of(server)))
    return opened


@contextmanager
def many(
    server: Strongroom, begin: Callable[[socket.socket], object], *, number: int = MANY
) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(number):
            begin(stack.enter_context(connect(server)))
        yield


def status_of(opened: socket.socket) -> int:
    """The status of a response, once all of it has come: it may come in parts."""
    response = HTTPResponse(opened)
    response.begin()
    response.read()
    return response.status


def assert_serves(server: Strongroom) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200


def ends(opened: socket.socket, take: Callable[[], object]) -> bool:
    """Return True if the server ends the connection while the client reads slowly."""
    ended = select.poll()
    ended.register(opened, select.POLLRDHUP)
    for _ in range(int(PATIENCE / SLOWLY)):
        if ended.poll(1000 * SLOWLY):
            return True
        take()
    return False


class Http2:
    """A client in clear text whose windows are as small as it wants."""

    def __init__(self, opened: socket.socket, window: int | None = None) -> None:
        self.socket = opened
        self.http = h2.connection.H2Connection(h2.config.H2Configuration())
        if window is not None:
            code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
            self.http.local_settings = h2.settings.Settings(initial_values={code: window})
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def ask(self, path: str) -> int:
        stream = self.http.get_next_available_stream_id()
        headers = {":method": "GET", ":path": path, ":scheme": "http", ":authority": "localhost"}
        self.http.send_headers(stream, list(headers.items()), end_stream=True)
        self.flush()
        return stream

    def events(self) -> list[h2.events.Event]:
        """The next event; None if the server has ended the connection."""
        try:
            received = self.socket.recv(65536)
        except ConnectionError:
            received = b""
        events: list[h2.events.Event] = list(self.http.receive_data(received)) if received else []
        self.flush()
        return events

    def take_a_byte_of_each(self, streams: list[int]) -> None:
        """Take in what has come, and let one byte more come on each stream."""
        if select.select([self.socket], [], [], 0)[0]:
            self.events()
        with suppress(h2.exceptions.ProtocolError):  # the server has said that it ends
            for stream in streams:
                self.http.increment_flow_control_window(1, stream)
            self.flush()


def answered(client: Http2, stream: int) -> bool:
    while events := client.events():
        if any(
            isinstance(each, h2.events.StreamEnded) and each.stream_id == stream for each in events
        ):
            return True
    return False


def test_connections_that_send_nothing_hold_no_thread(small: Strongroom) -> None:
    with many(small, socket.socket.fileno):
        assert_serves(small)


def test_idle_keep_alive_connections_hold_no_thread(small: Strongroom) -> None:
    def ask(opened: socket.socket) -> None:
        opened.sendall(ASKED)
        opened.recv(65536)

    with many(small, ask):
        assert_serves(small)


def test_idle_http_2_connections_hold_no_thread(small: Strongroom) -> None:
    with many(small, Http2):
        assert_serves(small)


def test_an_http_2_connection_ends_when_it_has_no_stream(small: Strongroom) -> None:
    with connect(small) as opened:
        client = Http2(opened)
        assert answered(client, client.ask("/healthz"))
        kinds = {type(event) for _ in range(3) for event in client.events()}
        assert h2.events.ConnectionTerminated in kinds


def test_more_http_2_connections_than_have_turns_are_all_served(small: Strongroom) -> None:
    with ExitStack() as stack:
        clients = [Http2(stack.enter_context(connect(small))) for _ in range(MANY)]
        for _ in range(3):
            asked = [(client, client.ask("/healthz")) for client in clients]
            assert all(answered(client, stream) for client, stream in asked)


def test_an_http_2_client_that_takes_nothing_is_cut_off(small: Strongroom) -> None:
    with connect(small) as opened:
        client = Http2(opened, window=0)
        streams = [client.ask(LARGE) for _ in range(20)]
        assert ends(opened, lambda: client.take_a_byte_of_each(streams))


def test_http_2_clients_that_read_nothing_leave_threads_to_other_requests(
    small: Strongroom,
) -> None:
    with many(small, lambda opened: Http2(opened, window=0).ask(LARGE)):
        for _ in range(5):
            assert_serves(small)


def test_clients_that_take_no_response_are_cut_off(small: Strongroom) -> None:
    with many(small, lambda opened: opened.sendall(ASKED_LARGE), number=THREADS):
        assert_serves(small)


def test_a_client_that_takes_a_byte_now_and_then_is_cut_off(small: Strongroom) -> None:
    with connect(small) as opened:
        opened.sendall(ASKED_LARGE)
        assert ends(opened, lambda: opened.recv(1))


def test_a_client_that_sends_a_byte_now_and_then_is_cut_off(small: Strongroom) -> None:
    with connect(small) as opened:
        assert ends(opened, lambda: opened.sendall(b"G"))


def test_unclosed_finished_connections_delay_no_other_client(small: Strongroom) -> None:
    last = ASKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with many(small, lambda opened: opened.sendall(last)):
        assert_serves(small)


@pytest.mark.parametrize("begin", [socket.socket.fileno, lambda opened: opened.sendall(ASKED)])
def test_new_connections_are_accepted_beside_more_idle_ones_than_a_worker_takes(
    small: Strongroom, begin: Callable[[socket.socket], object]
) -> None:
    with many(small, begin, number=WORKER_CONNECTIONS + MANY):
        assert_serves(small)


def test_an_idle_connection_of_a_proxy_is_not_closed_for_new_ones(
    small: Strongroom, socket_path: str
) -> None:
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.settimeout(PATIENCE)
        proxy.connect(socket_path)
        proxy.sendall(ASKED)
        assert status_of(proxy) == HTTPStatus.OK

        def ask(opened: socket.socket) -> None:
            opened.sendall(ASKED)
            opened.recv(65536)

        with many(small, ask, number=WORKER_CONNECTIONS + MANY):
            proxy.sendall(ASKED)
            assert status_of(proxy) == HTTPStatus.OK


def test_a_worker_that_runs_out_of_files_gives_up_idle_connections(small: Strongroom) -> None:
    (worker,) = small.workers()
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (FEW_FILES, before[1]))
    try:
        with many(small, socket.socket.fileno, number=FEW_FILES):
            assert_serves(small)
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
    assert small.workers() == {worker}
