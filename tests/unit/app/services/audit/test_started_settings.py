"""Settings that changed between two starts of a node are recorded by their names."""

from typing import Any

from app.services.container import Services
from tests.support.deployment import Deployment
from tests.unit.app.services.audit.trail_of import details, records


def start(deployment: Deployment, **settings: Any) -> Services:
    """Start a worker, and let its first minute pass."""
    services = deployment.process(**settings)
    services.readiness.report()  # as a worker does when it starts
    for _ in range(2):
        services.audit.upkeep.run()
    return services


def changes(services: Services) -> list[list[str]]:
    return [
        details(each)["changed"] for each in records(services) if each.action == "settings.changed"
    ]


def test_the_first_start_records_what_later_ones_are_compared_with(deployment: Deployment) -> None:
    assert changes(start(deployment)) == [[]]


def test_a_start_with_the_same_settings_records_nothing(deployment: Deployment) -> None:
    start(deployment)
    assert changes(start(deployment)) == [[]]


def test_a_changed_setting_is_named(deployment: Deployment) -> None:
    start(deployment)
    changed = start(deployment, STRONGROOM_MAX_SECRETS="17", STRONGROOM_SECRET_VERSIONS="3")
    assert changes(changed) == [[], ["STRONGROOM_MAX_SECRETS", "STRONGROOM_SECRET_VERSIONS"]]
    back = start(deployment)
    assert len(changes(back)) == 3


def test_no_value_is_recorded(deployment: Deployment) -> None:
    start(deployment)
    services = start(deployment, STRONGROOM_SYSTEM_KEY_FINGERPRINT="")
    services = start(deployment, STRONGROOM_MAX_SECRETS="1234567")
    assert "1234567" not in str(records(services))
