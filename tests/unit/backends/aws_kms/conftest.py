"""Root keys, a provider on one of them, and the context of a data key."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from backends.aws_kms.provider import AwsKms, from_spec
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.provider import WrappedKey
from backends.provider_uri import parse_spec
from config.files import Files
from tests.unit.backends.aws_kms.kms import Kms, kms_in_process

SETTING = "STRONGROOM_KEYS (entry 1)"

CALLS: Mapping[str, Callable[[AwsKms, DataKey, WrappedKey, KeyContext], object]] = {
    "generate": lambda provider, _key, _wrapped, context: provider.generate(context),
    "unwrap": lambda provider, _key, wrapped, context: provider.unwrap(wrapped, context),
    "rewrap": lambda provider, _key, wrapped, context: provider.rewrap(wrapped, context),
    "wrap": lambda provider, key, _wrapped, context: provider.wrap(key, context),
}
"""Everything that is asked of a provider while it serves."""


def provider_of(arn: str) -> AwsKms:
    """A provider as a process that starts now builds it."""
    return from_spec(parse_spec(f"aws-kms:{arn}", setting=SETTING, concurrency=4, files=Files()))


@pytest.fixture
def kms() -> Iterator[Kms]:
    with kms_in_process() as kms:
        yield kms


@pytest.fixture
def arn(kms: Kms) -> str:
    return kms.create_key()


@pytest.fixture
def provider(arn: str) -> Iterator[AwsKms]:
    provider = provider_of(arn)
    yield provider
    provider.close()


@pytest.fixture
def context() -> KeyContext:
    return KeyContext("dep_1", "acc_1", "dk_1")
