"""A deployment whose operator has a second key file, and whose tenants have two data keys each."""

import pytest

from tests.support.deployment import Deployment, Tenant
from tests.unit.app.services.keys.moving import Move, seeded


@pytest.fixture
def move(deployment: Deployment) -> Move:
    first = f"local-fernet:{deployment.home / 'keys'}"
    return Move(deployment, first, deployment.key_file("second"))


@pytest.fixture
def tenants(move: Move) -> list[Tenant]:
    services = move.process(move.a)
    return [seeded(services, move.deployment) for _ in range(2)]
