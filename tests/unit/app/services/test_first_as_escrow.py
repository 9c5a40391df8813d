"""One root key may be the first provider's and an escrow provider's, as after promoting escrow."""

from pathlib import Path

import pytest

from tests.support.deployment import Clock, Deployment, Tenant, new_tenant
from tests.unit.app.services.keys.escrow import Loss
from tests.unit.app.services.keys.moving import VALUES, Move, ignore


@pytest.fixture
def move(deployment: Deployment) -> Move:
    first = f"local-fernet:{deployment.home / 'keys'}"
    return Move(deployment, first, deployment.key_file("second"))


@pytest.fixture
def promoted(move: Move) -> Tenant:
    """An account without a data key, in a process whose first provider is escrow too."""
    return new_tenant(move.process(move.a, escrow=move.a))


def test_a_new_account_gets_a_data_key(move: Move, promoted: Tenant) -> None:
    promoted.create("A", "a value")
    assert move.refs(promoted) == [{"a"}]


def test_an_aged_data_key_is_replaced(move: Move, promoted: Tenant) -> None:
    promoted.create("A", "a value")
    move.deployment.clock.advance(days=31)
    promoted.create("B", "a later value")
    assert move.refs(promoted) == [{"a"}, {"a"}]


def test_a_deployment_is_initialised(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    deployment = Deployment(home, Clock())
    keys = deployment.key_file("keys")
    services = deployment.process(STRONGROOM_KEYS=keys, STRONGROOM_ESCROW_KEYS=keys)
    services.setup.initialise()
    new_tenant(services).create("A", "a value")
    deployment.close()


def test_everything_is_recovered(move: Move) -> None:
    tenant = new_tenant(move.process(move.a))
    for name, value in VALUES.items():
        tenant.create(name, value)
    loss = Loss.of(move)
    fresh = move.process(loss.fresh, escrow=loss.fresh)
    assert fresh.recovery.run(loss.private, ignore).failed == 0
    assert tenant.at(fresh).values() == VALUES
