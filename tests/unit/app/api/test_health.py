"""The two health routes, for anyone."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from app import bootstrap
from app.server.application import Application
from app.services.container import Services
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.api_deployment import ApiDeployment, Client, body_of


class _Down(Keyring):
    """A keyring whose providers do not answer."""

    def __init__(self) -> None:
        super().__init__([])

    def unwrap(self, *_: object) -> object:  # type: ignore[override]
        raise KeyUnavailable("It is down.")

    def can_unwrap(self) -> bool:
        return False


@pytest.fixture
def without_provider(deployment: ApiDeployment) -> Iterator[Services]:
    with closing(bootstrap.build(deployment.settings, keyring=_Down())) as services:
        yield services


def test_a_process_that_answers_is_healthy(deployment: ApiDeployment) -> None:
    answered = deployment.anyone().get("/healthz")
    assert (answered.status_code, body_of(answered)) == (200, {"status": "ok"})


def test_a_server_that_can_serve_is_ready(deployment: ApiDeployment) -> None:
    answered = deployment.anyone().get("/readyz")
    expected = {"status": "ok", "database": True, "provider": True}
    assert (answered.status_code, body_of(answered)) == (200, expected)


def test_a_server_without_a_provider_is_not_ready(without_provider: Services) -> None:
    answered = Client(Application(lambda: without_provider), None).get("/readyz")
    expected = {"status": "unavailable", "database": True, "provider": False}
    assert (answered.status_code, body_of(answered)) == (503, expected)
