"""Parametrised fixtures over the table of cases."""

from collections.abc import Iterator

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from tests.contract.key_provider.case import ProviderCase, WrapperCase
from tests.contract.key_provider.cases import CASES, PROVIDER_CASES


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> WrapperCase:
    """Every scheme."""
    return CASES[request.param](request)


@pytest.fixture(params=PROVIDER_CASES)
def provider_case(request: pytest.FixtureRequest) -> ProviderCase:
    """Every scheme that unwraps."""
    return PROVIDER_CASES[request.param](request)


@pytest.fixture
def key() -> Iterator[DataKey]:
    """A new data key."""
    key = DataKey.random()
    yield key
    key.wipe()


@pytest.fixture
def context() -> KeyContext:
    """The context of one data key."""
    return KeyContext("dep_1", "acc_1", "dk_1")
