"""A deployment with an audit trail."""

import pytest

from app.services.container import Services
from tests.support.audit_trail import Trail
from tests.support.deployment import Deployment


@pytest.fixture
def trail(deployment: Deployment, services: Services) -> Trail:
    """The audit trail as one process has it."""
    return Trail.of(deployment, services)
