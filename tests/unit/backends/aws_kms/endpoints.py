"""Endpoints that are not KMS: each does one thing to whoever connects."""

import datetime as dt
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Behaviour = Callable[[socket.socket, Event], None]
"""The handling of one connection, until the event."""


@contextmanager
def endpoint(behaviour: Behaviour) -> Iterator[str]:
    """The host and port of a server on loopback whose every connection meets ``behaviour``."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_serve, args=(server, behaviour, over), daemon=True).start()
        try:
            yield "{}:{}".format(*server.getsockname())
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)


@contextmanager
def closed_port() -> Iterator[str]:
    """A port that refuses, and that nobody else takes meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*bound.getsockname())


@contextmanager
def full_port() -> Iterator[str]:
    """A port whose queue is full, so that connecting gets no answer at all."""
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield "{}:{}".format(*server.getsockname())


def hang(_connection: socket.socket, over: Event) -> None:
    """Never answer."""
    over.wait()


def hang_up(connection: socket.socket, _over: Event) -> None:
    """Take the request and close."""
    _take_request(connection)


def cut_off(connection: socket.socket, _over: Event) -> None:
    """Close in the middle of an answer."""
    _take_request(connection)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"Plaintext": "AAAA')


def babble(connection: socket.socket, _over: Event) -> None:
    """Speak neither HTTP nor TLS."""
    connection.recv(65536)
    connection.sendall(b"220 mail.example ESMTP\r\n")


def drip(connection: socket.socket, over: Event) -> None:
    """Answer a byte every tenth of a second, so that no single read ever takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.1):
        connection.sendall(b" ")


def greet_in_tls(certificate: Path) -> Behaviour:
    """Offer TLS with this certificate and read the request; the file grows by what was read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def greet(connection: socket.socket, _over: Event) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as tls,
            certificate.open("ab") as log,
        ):
            log.write(tls.recv(65536))

    return greet


def write_self_signed(path: Path) -> None:
    """Write a certificate for 127.0.0.1 that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))


def _take_request(connection: socket.socket) -> None:
    """Read all of it: what is closed with bytes unread is reset, and its answer may be lost."""
    while not (connection.recv(65536) or b"}").endswith(b"}"):
        pass


def _serve(server: socket.socket, behaviour: Behaviour, over: Event) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        Thread(target=_meet, args=(connection, behaviour, over), daemon=True).start()


def _meet(connection: socket.socket, behaviour: Behaviour, over: Event) -> None:
    with connection, suppress(OSError):
        behaviour(connection, over)
