"""The hosts of an address, tried in turn until one is the primary."""

from dataclasses import dataclass, field
from typing import cast

import psycopg
import pytest

from app.repository.postgresql.address import Address, parse_address
from app.repository.postgresql.connections import BoundedConnection, connect
from app.repository.postgresql.finding import hosts as hosts_module
from app.repository.postgresql.finding.hosts import Hosts
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer

THREE = (
    "postgresql://a.example,b.example:5433,c.example/db?user=u&sslrootcert=/etc/db.pem"
    "&hostaddr=10.0.0.1,10.0.0.2,10.0.0.3"
)
CONNECTION = cast("BoundedConnection", object())


@dataclass
class Cluster:
    """Three hosts, one of which is the primary."""

    primary: str | None
    tried: list[str] = field(default_factory=list)

    def connect(self, address: Address) -> BoundedConnection:
        host = address.parameters["host"]
        self.tried.append(host)
        if host != self.primary:
            raise psycopg.OperationalError("no primary")
        return CONNECTION


def test_each_host_is_tried_until_one_is_the_primary() -> None:
    cluster = Cluster("b.example")
    assert Hosts(parse_address(THREE), cluster.connect).connect() is CONNECTION
    assert cluster.tried == ["a.example", "b.example"]


def test_the_last_primary_is_tried_first() -> None:
    cluster = Cluster("b.example")
    hosts = Hosts(parse_address(THREE), cluster.connect)
    hosts.connect()
    cluster.tried.clear()
    hosts.connect()
    assert cluster.tried == ["b.example"]


def test_every_host_is_tried_once_where_none_is_the_primary() -> None:
    cluster = Cluster(None)
    hosts = Hosts(parse_address(THREE), cluster.connect)
    with pytest.raises(psycopg.OperationalError):
        hosts.connect()
    assert cluster.tried == ["a.example", "b.example", "c.example"]


def test_where_time_is_up_the_next_try_begins_with_the_next_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosts_module, "LONGEST_S", 0)
    cluster = Cluster("c.example")
    hosts = Hosts(parse_address(THREE), cluster.connect)
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            hosts.connect()
    assert hosts.connect() is CONNECTION
    assert cluster.tried == ["a.example", "b.example", "c.example"]


def test_each_host_has_its_own_port(postgresql: PostgresqlServer) -> None:
    address = parse_address(
        f"postgresql://127.0.0.1:{free_port()},127.0.0.1:{postgresql.port}/postgres?user=strongroom"
    )
    connection = Hosts(address, connect).connect()
    assert connection.info.port == postgresql.port
    connection.close()


def test_a_port_that_is_listed_once_is_that_of_all_hosts(postgresql: PostgresqlServer) -> None:
    address = parse_address(
        f"host=127.0.0.2,127.0.0.1 port={postgresql.port} dbname=postgres user=strongroom"
    )
    connection = Hosts(address, connect).connect()
    assert connection.info.host == "127.0.0.1"
    connection.close()
