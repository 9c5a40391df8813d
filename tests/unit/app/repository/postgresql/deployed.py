"""A deployment on PostgreSQL whose process reaches the server through a proxy that can fail."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from app import bootstrap
from app.server.application import Application
from config import load
from tests.support.api_deployment import Account, ApiDeployment
from tests.support.deployment import GATEWAY_URL
from tests.support.faulty_proxy import FaultyProxy
from tests.support.held_server import HeldServer
from tests.support.postgresql import PostgresqlServer


@dataclass(frozen=True)
class Deployed:
    """The deployment, and the ways in which its server can fail."""

    api: ApiDeployment
    proxy: FaultyProxy
    server: HeldServer

    def new_account(self) -> Account:
        return self.api.new_account()


@contextmanager
def deployed(
    home: Path, postgresql: PostgresqlServer, template: str, **chosen: str
) -> Iterator[Deployed]:
    """Make one in a copy of a database without rows, for the time of a ``with`` block."""
    name = postgresql.create_database(template)
    try:
        with _reached_by_proxy(home, postgresql.port, name, **chosen) as deployment:
            yield deployment
    finally:
        postgresql.drop_database(name)


@contextmanager
def _reached_by_proxy(home: Path, port: int, database: str, **chosen: str) -> Iterator[Deployed]:
    home.chmod(0o700)
    with os.fdopen(os.open(home / "keys", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
    proxy, server = FaultyProxy(f"127.0.0.1:{port}"), HeldServer()
    url = f"postgresql://postgres@{proxy.host}/{database}"
    own = {
        "STRONGROOM_HOME": str(home),
        "STRONGROOM_DATABASE_URL": url,
        "STRONGROOM_GATEWAY_URL": GATEWAY_URL,
    }
    settings = load(own | chosen)
    services = bootstrap.build(settings)
    try:
        with proxy.failing(server):
            services.setup.initialise()
            app = Application(lambda: services)
            yield Deployed(ApiDeployment(settings, services, app), proxy, server)
    finally:
        services.close()
        proxy.close()
