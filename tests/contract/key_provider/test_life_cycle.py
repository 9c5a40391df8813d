"""Root keys get new versions and old ones go, while data keys stay what they are."""

from dataclasses import replace

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError
from backends.provider import KeyProvider, WrappedKey
from tests.contract.key_provider.case import ProviderCase, WrapperCase


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


def test_versions_have_one_root_if_a_process_goes_from_one_to_the_next_by_itself(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    provider_case.rotate()
    provider = provider_case.provider()
    newer = provider.wrap(key, context).key_ref
    same = provider.root_of(wrapped.key_ref) == provider.root_of(newer)
    assert same is provider_case.rotates_in_place


def test_the_name_of_a_root_key_with_versions_is_no_key_ref(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    key_ref = provider.wrap(key, context).key_ref
    assert provider.owns(provider.root_of(key_ref)) is not provider_case.rotates_in_place


def test_another_root_key_has_another_name(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    providers = provider_case.provider(), provider_case.unrelated_provider()
    roots = {provider.root_of(provider.wrap(key, context).key_ref) for provider in providers}
    assert len(roots) == 2


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
        provider.rewrap(wrapped, context._replace(account_id="acc_2"))


def test_rewrapping_refuses_what_was_tampered_with(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with pytest.raises(DecryptionError):
        provider.rewrap(damaged(wrapped), context)


@pytest.fixture
def many(context: KeyContext) -> list[tuple[DataKey, KeyContext]]:
    """Data keys with their contexts."""
    return [(DataKey.random(), context._replace(data_key_id=f"dk_{n}")) for n in range(5)]


def wrap_all(
    provider: KeyProvider, many: list[tuple[DataKey, KeyContext]]
) -> list[tuple[WrappedKey, KeyContext]]:
    return [(provider.wrap(key, context), context) for key, context in many]


def test_wrapping_many_keeps_order_and_each_key(
    case: WrapperCase, many: list[tuple[DataKey, KeyContext]]
) -> None:
    answers, opener = case.wrapper().wrap_many(many), case.opener()
    opened = [
        opener(answer, context)
        for answer, (_, context) in zip(answers, many, strict=True)
        if isinstance(answer, WrappedKey)
    ]
    assert opened == [key for key, _ in many]


def test_wrapping_many_binds_each_context(
    provider_case: ProviderCase, many: list[tuple[DataKey, KeyContext]]
) -> None:
    provider = provider_case.provider()
    first = provider.wrap_many(many)[0]
    assert isinstance(first, WrappedKey)
    with pytest.raises(DecryptionError):
        provider.unwrap(first, many[1][1])


def test_rewrapping_many_keeps_order_and_each_key(
    provider_case: ProviderCase, many: list[tuple[DataKey, KeyContext]]
) -> None:
    provider = provider_case.provider()
    answers = provider.rewrap_many(wrap_all(provider, many))
    opened = [
        provider.unwrap(answer, context)
        for answer, (_, context) in zip(answers, many, strict=True)
        if isinstance(answer, WrappedKey)
    ]
    assert opened == [key for key, _ in many]


def test_unwrapping_many_keeps_order_and_each_key(
    provider_case: ProviderCase, many: list[tuple[DataKey, KeyContext]]
) -> None:
    provider = provider_case.provider()
    answers = provider.unwrap_many(wrap_all(provider, many))
    assert answers == [key for key, _ in many]


def test_one_damaged_wrapping_of_many_fails_to_rewrap_alone(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    answers = provider.rewrap_many([(each, context) for each in around_damage(wrapped)])
    assert [type(answer) for answer in answers] == [WrappedKey, DecryptionError, WrappedKey]


def test_one_damaged_wrapping_of_many_fails_to_open_alone(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    answers = provider.unwrap_many([(each, context) for each in around_damage(wrapped)])
    assert [type(answer) for answer in answers] == [DataKey, DecryptionError, DataKey]


def test_many_may_be_none(provider_case: ProviderCase) -> None:
    provider = provider_case.provider()
    answers = provider.wrap_many([]), provider.rewrap_many([]), provider.unwrap_many([])
    assert answers == ([], [], [])


def around_damage(wrapped: WrappedKey) -> list[WrappedKey]:
    """The wrapping, a damaged copy of it, and the wrapping."""
    return [wrapped, damaged(wrapped), wrapped]


def damaged(wrapped: WrappedKey) -> WrappedKey:
    """The wrapping with its last byte changed."""
    return replace(wrapped, blob=wrapped.blob[:-1] + bytes([wrapped.blob[-1] ^ 1]))
