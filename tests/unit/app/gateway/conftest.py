"""One gateway for the tests of a module; each starts from the same state."""

from collections.abc import Iterator

import pytest

from tests.support.gateway.rig import Rig, rig


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A gateway with a stand-in for the API and an upstream that records."""
    with rig(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def running(gateway: Rig) -> Rig:
    """The gateway, with nothing recorded and everything admitted."""
    gateway.upstream.clear()
    gateway.api.asked.clear()
    gateway.api.ends.clear()
    gateway.api.admit_to(gateway.upstream.port)
    return gateway
