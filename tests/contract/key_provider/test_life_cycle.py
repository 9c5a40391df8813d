"""Root keys get new versions and old ones go, while data keys stay what they are."""

from dataclasses import replace

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError
from backends.provider import WrappedKey
from tests.contract.key_provider.case import ProviderCase


def test_a_rotated_root_key_still_opens_what_it_wrapped(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    assert provider_case.provider().unwrap(wrapped, context) == key


def test_rotation_makes_earlier_wrappings_stale(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    assert provider_case.provider().status().key_ref != wrapped.key_ref


def test_a_rotated_root_key_still_owns_earlier_wrappings(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    assert provider_case.provider().owns(wrapped.key_ref)


def test_rewrapping_after_rotation_gives_a_current_wrapping(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    provider = provider_case.provider()
    assert provider.rewrap(wrapped, context).key_ref == provider.status().key_ref


def test_rewrapping_keeps_the_data_key(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    provider = provider_case.provider()
    assert provider.unwrap(provider.rewrap(wrapped, context), context) == key


def test_what_was_rewrapped_outlives_the_old_root_key(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    rewrapped = provider_case.provider().rewrap(wrapped, context)
    provider_case.forget_rotated()
    assert provider_case.provider().unwrap(rewrapped, context) == key


def test_a_wrapping_under_a_root_key_that_is_gone_is_not_called_tampered(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    provider_case.forget_rotated()
    provider = provider_case.provider()
    with pytest.raises(provider_case.forgotten):
        provider.unwrap(wrapped, context)


def test_rewrapping_refuses_another_context(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with pytest.raises(DecryptionError):
        provider.rewrap(wrapped, replace(context, account_id="acc_2"))


def test_rewrapping_refuses_what_was_tampered_with(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with pytest.raises(DecryptionError):
        provider.rewrap(damaged(wrapped), context)


def test_rewrapping_many_keeps_order_and_each_key(
    provider_case: ProviderCase, context: KeyContext
) -> None:
    provider = provider_case.provider()
    contexts = [replace(context, data_key_id=f"dk_{n}") for n in range(5)]
    keys = [DataKey.random() for _ in contexts]
    wrapped = [provider.wrap(k, c) for k, c in zip(keys, contexts, strict=True)]
    answers = provider.rewrap_many(list(zip(wrapped, contexts, strict=True)))
    opened = [
        provider.unwrap(answer, c)
        for answer, c in zip(answers, contexts, strict=True)
        if isinstance(answer, WrappedKey)
    ]
    assert opened == keys


def test_one_damaged_wrapping_of_many_fails_alone(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    answers = provider.rewrap_many(
        [(wrapped, context), (damaged(wrapped), context), (wrapped, context)]
    )
    assert [type(answer) for answer in answers] == [WrappedKey, DecryptionError, WrappedKey]


def test_rewrapping_none_asks_nothing(provider_case: ProviderCase) -> None:
    assert provider_case.provider().rewrap_many([]) == []


def damaged(wrapped: WrappedKey) -> WrappedKey:
    """The wrapping with its last byte changed."""
    return replace(wrapped, blob=wrapped.blob[:-1] + bytes([wrapped.blob[-1] ^ 1]))
