"""No kind of fault is left out in silence."""

import pytest

from tests.faults.fault import KINDS
from tests.faults.providers import BACKENDS


@pytest.mark.parametrize("scheme", BACKENDS)
def test_every_kind_of_fault_is_tried_or_ruled_out(scheme: str) -> None:
    assert set(KINDS) <= BACKENDS[scheme].faults.keys()
