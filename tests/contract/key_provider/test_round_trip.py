"""A wrapped key opens again, and its stored form reveals nothing."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends.context import KeyContext
from backends.data_key import DATA_KEY_BYTES, DataKey
from tests.contract.key_provider.case import ProviderCase, WrapperCase

LONG = KeyContext("dep_" + "d" * 60, "acc_" + "a" * 60, "dk_" + "k" * 60)


def test_a_wrapped_key_opens_under_its_context(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = case.wrapper().wrap(key, context)
    assert case.opener()(wrapped, context) == key


def test_a_long_context_is_bound_whole(case: WrapperCase, key: DataKey) -> None:
    wrapped = case.wrapper().wrap(key, LONG)
    assert case.opener()(wrapped, LONG) == key


def test_any_key_of_32_bytes_is_kept_byte_for_byte(case: WrapperCase, context: KeyContext) -> None:
    wrapper, opener = case.wrapper(), case.opener()
    for raw in (bytes(32), b"\xff" * 32, b"\n" * 32, b"vault:v1:" + b"=" * 23):
        key = DataKey(raw)
        assert opener(wrapper.wrap(key, context), context) == key


def test_wrapping_leaves_the_callers_key_as_it_is(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    before = DataKey(key)
    case.wrapper().wrap(key, context)
    assert key == before


def test_a_wrapping_names_the_scheme_and_the_current_root_key(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapper = case.wrapper()
    wrapped = wrapper.wrap(key, context)
    assert (wrapped.scheme, wrapped.key_ref) == (case.spec().scheme, wrapper.status().key_ref)


def test_a_wrapping_fits_its_columns(case: WrapperCase, key: DataKey, context: KeyContext) -> None:
    wrapped = case.wrapper().wrap(key, context)
    assert 0 < len(wrapped.key_ref) <= 512
    assert 0 < len(wrapped.blob) <= 4096


def test_a_wrapping_does_not_hold_the_key(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = case.wrapper().wrap(key, context)
    assert bytes(key) not in wrapped.blob
    assert key.hex() not in wrapped.key_ref


def test_wrapping_twice_shows_no_repetition(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapper = case.wrapper()
    assert wrapper.wrap(key, context).blob != wrapper.wrap(key, context).blob


def test_a_wrapper_at_work_is_healthy(case: WrapperCase) -> None:
    status = case.wrapper().status()
    assert (status.healthy, status.detail) == (True, "")


def test_a_wrapper_leaves_the_process_by_no_protocol(case: WrapperCase) -> None:
    wrapper = case.wrapper()
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(wrapper)


def test_unrelated_root_keys_have_different_names(case: WrapperCase) -> None:
    assert case.wrapper().status().key_ref != case.unrelated_wrapper().status().key_ref


def test_a_wrapper_serves_many_threads(case: WrapperCase, context: KeyContext) -> None:
    wrapper, opener = case.wrapper(), case.opener()

    def round_trip(_: int) -> bool:
        key = DataKey.random()
        return opener(wrapper.wrap(key, context), context) == key

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(48)))


def test_a_generated_key_opens_from_its_wrapping(
    provider_case: ProviderCase, context: KeyContext
) -> None:
    key, wrapped = provider_case.provider().generate(context)
    assert provider_case.provider().unwrap(wrapped, context) == key


def test_a_generated_key_is_a_data_key_of_32_bytes(
    provider_case: ProviderCase, context: KeyContext
) -> None:
    key, _ = provider_case.provider().generate(context)
    assert isinstance(key, DataKey)
    assert len(key) == DATA_KEY_BYTES


def test_generated_keys_differ(provider_case: ProviderCase, context: KeyContext) -> None:
    provider = provider_case.provider()
    assert provider.generate(context)[0] != provider.generate(context)[0]


def test_a_generated_wrapping_is_current(provider_case: ProviderCase, context: KeyContext) -> None:
    provider = provider_case.provider()
    _, wrapped = provider.generate(context)
    assert (wrapped.scheme, wrapped.key_ref) == (provider.scheme, provider.status().key_ref)


def test_an_unwrapped_key_is_the_callers_own(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    provider.unwrap(wrapped, context).wipe()
    assert provider.unwrap(wrapped, context) == key
