"""The fingerprint of the system key: with it, a planted one is refused although it opens."""

import shutil
from pathlib import Path

import pytest

from app.services.container import Services
from backends.errors import KeyProviderConfigError
from tests.support.deployment import Clock, Deployment, new_tenant

SETTING = "STRONGROOM_SYSTEM_KEY_FINGERPRINT"
REFUSED = f"^{SETTING}: the database holds another system key."


def fingerprint_of(services: Services) -> str:
    return dict(services.checkup.run().looked_at)["system key fingerprint"]


@pytest.fixture
def fingerprint(deployment: Deployment) -> str:
    """The fingerprint that an operator has noted."""
    return fingerprint_of(deployment.process())


@pytest.fixture
def planted(deployment: Deployment, fingerprint: str, tmp_path: Path) -> Deployment:
    """Another deployment under the same root key, whose rows take the place of all rows."""
    other = Deployment(tmp_path / "other", Clock())
    other.home.mkdir(mode=0o700)
    shutil.copy(deployment.home / "keys", other.home / "keys")
    other.process().setup.initialise()
    deployment.restore((deployment.clock.now_ms, other.snapshot()[1]))
    other.close()
    return deployment


def test_a_deployment_with_its_own_fingerprint_serves(
    deployment: Deployment, fingerprint: str
) -> None:
    services = deployment.process(STRONGROOM_SYSTEM_KEY_FINGERPRINT=fingerprint)
    new_tenant(services).create("A")
    assert services.checkup.run().faults == []


def test_without_the_setting_a_planted_system_key_is_believed(planted: Deployment) -> None:
    new_tenant(planted.process()).create("A")


def test_a_planted_system_key_is_refused(planted: Deployment, fingerprint: str) -> None:
    services = planted.process(STRONGROOM_SYSTEM_KEY_FINGERPRINT=fingerprint)
    with pytest.raises(KeyProviderConfigError, match=REFUSED):
        new_tenant(services)
    assert not services.readiness.report().ready


def test_a_planted_system_key_is_told_by_the_check(planted: Deployment, fingerprint: str) -> None:
    services = planted.process(STRONGROOM_SYSTEM_KEY_FINGERPRINT=fingerprint)
    assert services.checkup.run().faults == [f"{SETTING}: the database holds another system key."]


def test_no_system_key_is_made_while_a_fingerprint_is_set(tmp_path: Path) -> None:
    new = Deployment(tmp_path / "new", Clock())
    new.home.mkdir(mode=0o700)
    new.key_file("keys")
    with pytest.raises(KeyProviderConfigError, match=SETTING):
        new.process(STRONGROOM_SYSTEM_KEY_FINGERPRINT="0" * 64).setup.initialise()
    with new.rows() as rows:
        assert rows.all("data_keys") == []
    new.close()


def test_moving_to_another_root_key_keeps_the_fingerprint(
    deployment: Deployment, fingerprint: str
) -> None:
    second, first = deployment.key_file("second"), f"local-fernet:{deployment.home / 'keys'}"
    moved = deployment.process(STRONGROOM_KEYS=f"{second} {first}")
    moved.rewrap.run(print)
    assert fingerprint_of(deployment.process(STRONGROOM_KEYS=second)) == fingerprint


def test_the_recovery_key_files_the_same_fingerprint(
    deployment: Deployment, fingerprint: str
) -> None:
    filed = deployment.process().recovery.make_key().private.system_key
    assert filed is not None
    assert filed.text == fingerprint
