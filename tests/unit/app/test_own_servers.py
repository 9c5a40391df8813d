"""The servers that settings name, in the addresses under which a gateway would dial them."""

import socket
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from app.domain.gateways.origins import Endpoint
from app.own_servers import OwnServers
from config import load

_LOOPBACK = ip_address("127.0.0.1")


def _servers(directory: Path, **settings: str) -> OwnServers:
    return OwnServers(load({"STRONGROOM_HOME": str(directory), **settings}))


def test_every_listener_is_one_of_them(tmp_path: Path) -> None:
    bind = "0.0.0.0:1 127.0.0.1:2 unix:/run/x"
    servers = _servers(tmp_path, STRONGROOM_BIND=bind, STRONGROOM_TLS_IN_FRONT="1")
    assert {Endpoint(None, 1), Endpoint(_LOOPBACK, 2)} <= servers()


@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ({"STRONGROOM_METRICS_BIND": "127.0.0.1:9"}, {9}),
        ({"STRONGROOM_GATEWAY_METRICS_BIND": "127.0.0.1:9"}, {9}),
        ({"STRONGROOM_DATABASE_URL": "postgresql://127.0.0.1,127.0.0.1:7/x?user=y"}, {5432, 7}),
        ({"STRONGROOM_KEYS": "vault-transit:https://127.0.0.1:8200/transit/key"}, {8200}),
        ({"STRONGROOM_RATE_LIMIT_STORE": "redis://127.0.0.1/0"}, {6379}),
    ],
    ids=["metrics", "metrics of the gateway", "database", "Vault", "rate limits"],
)
def test_what_a_setting_names_is_among_them(
    tmp_path: Path, settings: dict[str, str], ports: set[int]
) -> None:
    found = _servers(tmp_path, **settings)()
    assert {Endpoint(_LOOPBACK, port) for port in ports} <= found


def test_a_name_that_was_not_found_is_looked_up_again_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise OSError

    database = Endpoint(_LOOPBACK, 7)
    servers = _servers(tmp_path, STRONGROOM_DATABASE_URL="postgresql://localhost:7/x?user=y")
    with monkeypatch.context() as without_names:
        without_names.setattr(socket, "getaddrinfo", unknown)
        assert database not in servers()
    assert database not in servers()
    monkeypatch.setattr(time, "monotonic", lambda: float("inf"))
    assert database in servers()
