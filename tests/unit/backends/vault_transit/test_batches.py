"""Many wrappings at once: few requests, and each item by itself."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.provider import WrappedKey
from backends.vault_transit.provider import LARGEST_BATCH, VaultTransit
from tests.support.faulty_proxy import FaultyProxy, answer
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

Many = Callable[[VaultTransit, list[tuple[WrappedKey, KeyContext]]], list[object]]
KEY = DataKey.random()
OF_WRAPPED: Mapping[str, Many] = {
    "rewrap": lambda provider, items: list(provider.rewrap_many(items)),
    "decrypt": lambda provider, items: list(provider.unwrap_many(items)),
}
MANY: Mapping[str, Many] = {
    "encrypt": lambda provider, items: list(
        provider.wrap_many([(KEY, context) for _, context in items])
    ),
    **OF_WRAPPED,
}
GOOD = (WrappedKey, DataKey)

every_batch = pytest.mark.parametrize("many", MANY.values(), ids=MANY)


@pytest.fixture
def provider(vault: Vault, proxy: FaultyProxy) -> VaultTransit:
    """A provider behind the proxy that has logged in and knows its key."""
    provider = vault.provider(host=proxy.host)
    assert provider.status().healthy
    return provider


@pytest.fixture
def wrapped(provider: VaultTransit) -> WrappedKey:
    return provider.generate(CONTEXT)[1]


@pytest.mark.parametrize("operation", MANY)
def test_many_take_few_requests(
    vault: Vault, provider: VaultTransit, wrapped: WrappedKey, asked: list[str], operation: str
) -> None:
    asked.clear()
    answers = MANY[operation](provider, [(wrapped, CONTEXT)] * (2 * LARGEST_BATCH + 1))
    assert [type(each) in GOOD for each in answers] == [True] * (2 * LARGEST_BATCH + 1)
    assert asked == [f"POST /v1/transit/{operation}/{vault.key}"] * 3


def test_many_are_rewrapped_to_the_newest_version(
    vault: Vault, provider: VaultTransit, wrapped: WrappedKey
) -> None:
    vault.rotate()
    answers = provider.rewrap_many([(wrapped, CONTEXT)] * 2)
    refs = [each.key_ref for each in answers if isinstance(each, WrappedKey)]
    assert refs == [provider.status().key_ref] * 2


@pytest.mark.parametrize("many", OF_WRAPPED.values(), ids=OF_WRAPPED)
def test_each_of_many_is_taken_or_refused_by_itself(
    provider: VaultTransit, wrapped: WrappedKey, many: Many
) -> None:
    other = CONTEXT._replace(account_id="acc_2")
    foreign = replace(wrapped, key_ref="elsewhere/transit/key:v1")
    blob = wrapped.blob.replace(b":v1:", b":v9:")
    too_new = replace(wrapped, key_ref=wrapped.key_ref[:-1] + "9", blob=blob)
    answers = many(
        provider, [(wrapped, CONTEXT), (wrapped, other), (foreign, CONTEXT), (too_new, CONTEXT)]
    )
    assert type(answers[0]) in GOOD
    assert [type(each) for each in answers[1:]] == [DecryptionError, UnknownKey, UnknownKey]


def test_each_of_many_is_wrapped_or_not_by_itself(
    provider: VaultTransit, proxy: FaultyProxy
) -> None:
    good = {"ciphertext": f"vault:v1:{'A' * 80}"}
    results = {"batch_results": [good, {"error": "no"}, {"ciphertext": "odd"}, good]}
    with proxy.failing(answer(200, {"data": results})):
        answers = provider.wrap_many([(KEY, CONTEXT)] * 4)
    kinds = [type(each) for each in answers]
    assert kinds == [WrappedKey, KeyProviderError, KeyUnavailable, WrappedKey]


@every_batch
def test_a_batch_that_is_refused_for_one_item_is_taken_one_by_one(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, many: Many
) -> None:
    refusal = {"errors": ["cipher: message authentication failed"]}
    with proxy.failing(answer(500, refusal, Connection="close"), times=1):
        answers = many(provider, [(wrapped, CONTEXT)] * 3)
    assert [type(each) in GOOD for each in answers] == [True] * 3


@pytest.mark.parametrize(("status", "error"), [(429, KeyUnavailable), (403, KeyAccessDenied)])
@every_batch
def test_what_refuses_one_batch_is_not_asked_for_every_item(
    provider: VaultTransit,
    wrapped: WrappedKey,
    proxy: FaultyProxy,
    asked: list[str],
    many: Many,
    status: int,
    error: type[Exception],
) -> None:
    asked.clear()
    with proxy.failing(answer(status, {"errors": ["no"]})):
        answers = many(provider, [(wrapped, CONTEXT)] * (2 * LARGEST_BATCH))
    assert [type(each) for each in answers] == [error] * (2 * LARGEST_BATCH)
    assert len(asked) <= 2


@pytest.mark.parametrize("data", [None, [], {}, {"batch_results": []}, {"batch_results": ["a", 1]}])
@every_batch
def test_a_batch_that_is_answered_oddly_is_refused(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, many: Many, data: object
) -> None:
    with proxy.failing(answer(200, {"data": data})):
        answers = many(provider, [(wrapped, CONTEXT)] * 2)
    assert [type(each) for each in answers] == [KeyUnavailable] * 2
