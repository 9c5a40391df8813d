"""A worker boots whatever state things are in, and recovers without a restart."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from app import bootstrap
from app.factory import create_app
from app.repository.base import DatabaseMisconfigured
from app.server import lazy_connection
from app.server.application import Application
from app.server.lazy_connection import LazyConnection
from app.services.container import Services
from app.services.upkeep.readiness import Readiness
from backends.local_fernet import LocalFernet
from config import load
from tests.support import databases
from tests.support.api_deployment import Account, ApiDeployment, Client, error_of
from tests.support.deployment import copied

DEADLINE = 30
CANARY = "canary-5eed"


@pytest.fixture
def token(account: Account) -> str:
    return account.token()


@pytest.fixture
def home(deployment: ApiDeployment, token: str, tmp_path: Path) -> Path:
    """A copy of the deployment, token and all, for a test to break."""
    copy = tmp_path / "home"
    copied(deployment.settings.home, copy)
    copy.chmod(0o700)
    return copy


def environ_of(home: Path) -> dict[str, str]:
    return {"STRONGROOM_HOME": str(home), **databases.chosen.settings(home)}


Started = Callable[[Path], Flask]


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts the application of a worker; what it runs ends with the test."""
    with ExitStack() as stack:

        def start(home: Path) -> Flask:
            app = create_app(load(environ_of(home)))
            stack.callback(app.close)
            return app

        yield start


@pytest.fixture
def app_without_keys(home: Path, started: Started) -> Flask:
    (home / "keys").rename(home / "keys.away")
    return started(home)


def test_a_worker_without_a_key_file_boots_and_answers_503(
    app_without_keys: Flask, token: str
) -> None:
    client = Client(app_without_keys, token)
    assert error_of(client.get("/v1/secrets")) == (503, "not_connected")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_worker_recovers_when_its_key_file_is_back(
    app_without_keys: Flask, token: str, home: Path
) -> None:
    client = Client(app_without_keys, token)
    assert client.get("/v1/secrets").status_code == 503
    (home / "keys.away").rename(home / "keys")
    assert client.get("/v1/secrets").status_code == 200


def test_a_worker_with_another_key_answers_503_and_serves_nothing(
    home: Path, started: Started, token: str
) -> None:
    (home / "keys").write_bytes(Fernet.generate_key())
    client = Client(started(home), token)
    assert error_of(client.get("/v1/secrets")) == (503, "keys_unavailable")


def test_a_worker_opens_the_system_key_before_the_first_request(
    home: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    monkeypatch.setattr(lazy_connection, "WARM_UP_SECONDS", DEADLINE)
    before(monkeypatch, LocalFernet, "unwrap", asked.set)
    started(home)
    assert asked.wait(DEADLINE)  # perhaps by the background task, which no start waits for


def test_a_worker_boots_while_its_provider_hangs(
    home: Path, started: Started, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(lazy_connection, "WARM_UP_SECONDS", 0.1)
    before(monkeypatch, LocalFernet, "unwrap", lambda: go_on.wait(DEADLINE))
    client = Client(started(home), token)
    assert client.get("/healthz").status_code == 200
    go_on.set()
    assert client.get("/v1/secrets").status_code == 200


def test_a_failure_at_the_start_of_a_worker_is_logged_without_what_it_says(
    home: Path,
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    token: str,
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(lazy_connection, "WARM_UP_SECONDS", DEADLINE)
    before(monkeypatch, Readiness, "report", fail)
    client = Client(started(home), token)
    assert client.get("/v1/secrets").status_code == 200
    assert [vars(each)["exception"] for each in caplog.records if each.msg == "failure"] == [
        "RuntimeError"
    ]
    assert CANARY not in caplog.text


def before(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, happens: Callable[[], object]
) -> None:
    """Let something happen before each call."""
    real = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        happens()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)


def test_requests_do_not_queue_behind_one_that_connects() -> None:
    started, finish = threading.Event(), threading.Event()

    def build() -> NoReturn:
        started.set()
        finish.wait(30)
        raise DatabaseMisconfigured("STRONGROOM_DATABASE_URL: cannot be used.")

    app = Application(LazyConnection(build))
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(Client(app, "a token").get, "/v1/secrets")
        assert started.wait(30)
        assert error_of(Client(app, "a token").get("/v1/secrets")) == (503, "not_connected")
        assert not slow.done()
        finish.set()
        assert error_of(slow.result()) == (503, "not_connected")


def test_the_module_that_gunicorn_imports_has_the_application(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    for name, value in environ_of(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "wsgi", raising=False)
    with closing(importlib.import_module("wsgi").app) as app:
        assert Client(app, None).get("/readyz").status_code == 200


def test_a_worker_that_ends_while_it_connects_leaves_nothing_open(home: Path) -> None:
    closed: list[bool] = []

    def build() -> Services:
        services = bootstrap.build(load(environ_of(home)))
        connection.close()

        def close() -> None:
            services.close()
            closed.append(True)

        return replace(services, close=close)

    connection = LazyConnection(build)
    connection()
    assert closed == [True]
