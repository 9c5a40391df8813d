"""Requests to KMS: always for one key, always with the context, and no more than needed."""

import pytest

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.errors import UnknownKey
from tests.unit.backends.aws_kms.conftest import CALLS
from tests.unit.backends.aws_kms.kms import Kms


@pytest.fixture
def used(kms: Kms, provider: AwsKms, context: KeyContext) -> Kms:
    """KMS after every call of the provider, once."""
    key, wrapped = provider.generate(context)
    kms.asked.clear()
    for call in CALLS.values():
        call(provider, key, wrapped, context)
    provider.status()
    return kms


def test_every_request_names_the_key_by_its_arn(used: Kms, arn: str) -> None:
    fields = ("KeyId", "SourceKeyId", "DestinationKeyId")
    named = [body[field] for _, body in used.asked for field in fields if field in body]
    assert named == [arn] * 7


def test_every_request_that_wraps_or_unwraps_carries_the_context(
    used: Kms, context: KeyContext
) -> None:
    fields = ("EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext")
    given = [body[field] for _, body in used.asked for field in fields if field in body]
    assert given == [dict(context.to_mapping())] * 6


@pytest.mark.parametrize(
    ("call", "operations"),
    [
        ("generate", ["GenerateDataKey"]),
        ("unwrap", ["Decrypt"]),
        ("rewrap", ["ReEncrypt"]),
        ("wrap", ["Encrypt", "Decrypt"]),
    ],
)
def test_a_call_costs_no_more_requests_than_it_needs(
    kms: Kms, provider: AwsKms, context: KeyContext, call: str, operations: list[str]
) -> None:
    key, wrapped = provider.generate(context)
    kms.asked.clear()
    CALLS[call](provider, key, wrapped, context)
    assert [operation for operation, _ in kms.asked] == operations


@pytest.mark.parametrize("call", ["unwrap", "rewrap"])
def test_a_wrapping_under_another_key_is_refused_without_a_request(
    kms: Kms, provider: AwsKms, context: KeyContext, call: str
) -> None:
    key, wrapped = provider.generate(context)
    kms.asked.clear()
    elsewhere = type(wrapped)(wrapped.scheme, kms.create_key(), wrapped.blob)
    with pytest.raises(UnknownKey):
        CALLS[call](provider, key, elsewhere, context)
    assert kms.asked == []
