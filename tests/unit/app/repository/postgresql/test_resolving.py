"""Names of hosts are looked up within a bound, whatever the system's resolver does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.repository.postgresql.address import Address, parse_address
from app.repository.postgresql.connections import connect
from app.repository.postgresql.finding import resolving
from app.repository.postgresql.finding.hosts import Hosts
from app.repository.postgresql.finding.resolving import joined, resolve
from tests.support.postgresql import PostgresqlServer

URL = "postgresql://{}/db?user=u&sslrootcert=/etc/db.pem"
PATIENCE_S = 30.0

Answer = Callable[[str], list[str]]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Makes the system's resolver answer so."""

    def use(addresses_of: Answer) -> None:
        def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (each, 0)) for each in addresses_of(host)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return use


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """A resolver that answers nothing before the test ends.

    Each test has a name of its own: the next one could join a look-up that is about to end.
    """
    over = threading.Event()

    def hang(_: str) -> list[str]:
        over.wait(PATIENCE_S)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(resolving, "LOOK_UP_S", 0.05)
    yield hang
    over.set()


def places(url: str) -> list[tuple[str, str]]:
    found = [each.parameters for each in resolve(parse_address(url))]
    return [(each.get("hostaddr", each["host"]), each["port"]) for each in found]


def test_every_address_of_a_name_is_a_place_to_try(answer: Callable[[Answer], None]) -> None:
    answer(lambda host: {"a.example": ["10.0.0.1", "10.0.0.2"], "b.example": ["::1"]}[host])
    assert places(URL.format("a.example:1,b.example:2")) == [
        ("10.0.0.1", "1"),
        ("10.0.0.2", "1"),
        ("::1", "2"),
    ]


def test_the_certificate_is_compared_with_the_name(answer: Callable[[Answer], None]) -> None:
    answer(lambda _: ["10.0.0.1"])
    (place,) = resolve(parse_address(URL.format("a.example")))
    assert (place.parameters["host"], place.parameters["sslmode"]) == ("a.example", "verify-full")


@pytest.mark.parametrize(
    "url",
    [
        URL.format("10.0.0.1,10.0.0.2"),
        "postgresql://localhost/db?user=u",
        "postgresql:///db?host=/run/postgresql&user=u",
        URL.format("a.example") + "&hostaddr=10.0.0.1",
    ],
)
def test_what_needs_no_resolver_asks_none(answer: Callable[[Answer], None], url: str) -> None:
    answer(pytest.fail)
    address = parse_address(url)
    assert joined(resolve(address)).parameters == address.parameters


def test_a_name_that_is_unknown_hides_no_other_host(answer: Callable[[Answer], None]) -> None:
    def addresses_of(host: str) -> list[str]:
        if host == "gone.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["10.0.0.2"]

    answer(addresses_of)
    assert places(URL.format("gone.example,b.example")) == [("10.0.0.2", "5432")]


def test_a_resolver_that_hangs_is_given_up(
    answer: Callable[[Answer], None], hanging: Answer
) -> None:
    answer(hanging)
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="failed to resolve"):
        connect(parse_address(URL.format("hanging.example")))
    assert time.monotonic() - began < PATIENCE_S / 2


def test_a_name_that_hangs_hides_no_other_host(
    answer: Callable[[Answer], None], hanging: Answer
) -> None:
    answer(lambda host: hanging(host) if host == "slow.example" else ["10.0.0.2"])
    assert places(URL.format("slow.example,b.example")) == [("10.0.0.2", "5432")]


def test_a_name_is_looked_up_once_at_a_time(
    answer: Callable[[Answer], None], hanging: Answer
) -> None:
    asked: list[str] = []

    def addresses_of(host: str) -> list[str]:
        asked.append(host)
        return hanging(host)

    answer(addresses_of)

    def try_once(_: int) -> None:
        with pytest.raises(psycopg.OperationalError):
            resolve(parse_address(URL.format("once.example")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(try_once, range(16)))
    assert asked == ["once.example"]


def test_a_name_is_looked_up_again_for_the_next_connection(
    answer: Callable[[Answer], None],
) -> None:
    now = iter(["10.0.0.1", "10.0.0.2"])
    answer(lambda _: [next(now)])
    url = URL.format("a.example")
    assert places(url) + places(url) == [("10.0.0.1", "5432"), ("10.0.0.2", "5432")]


def test_a_name_with_very_many_addresses_is_cut(answer: Callable[[Answer], None]) -> None:
    answer(lambda _: [f"10.0.0.{number}" for number in range(1, 200)])
    assert len(places(URL.format("a.example"))) == resolving.MOST_ADDRESSES


def test_the_addresses_of_a_name_are_tried_until_one_is_the_primary(
    postgresql: PostgresqlServer, answer: Callable[[Answer], None]
) -> None:
    """Loopback is reached without TLS, which no name of another machine may be."""
    local = parse_address(f"postgresql://127.0.0.1:{postgresql.port}/postgres?user=strongroom")
    unresolved = {**local.parameters, "host": "a.example", "hostaddr": ""}
    address = Address(local.setting, unresolved)
    answer(lambda _: ["127.0.0.2", "127.0.0.1"])
    for open_it in (Hosts(address, connect).connect, lambda: connect(address)):
        connection = open_it()
        assert connection.info.hostaddr == "127.0.0.1"
        connection.close()
