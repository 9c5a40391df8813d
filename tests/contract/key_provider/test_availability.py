"""A backend that fails does so in our words, at every call, and serves again once it is back."""

from collections.abc import Callable

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError, KeyUnavailable
from tests.contract.key_provider.case import ProviderCase, WrapperCase
from tests.contract.key_provider.cases import CASES, PROVIDER_CASES
from tests.contract.key_provider.leaks import assert_keeps_quiet

every_fault = pytest.mark.parametrize(
    ("case", "fault"),
    [(scheme, fault) for scheme, case in CASES.items() for fault in case.faults],
    indirect=["case"],
)
every_provider_fault = pytest.mark.parametrize(
    ("provider_case", "fault"),
    [(scheme, fault) for scheme, case in PROVIDER_CASES.items() for fault in case.faults],
    indirect=["provider_case"],
)
every_outage = pytest.mark.parametrize(
    ("case", "fault"),
    [
        (scheme, fault)
        for scheme, case in CASES.items()
        for fault, error in case.faults.items()
        if issubclass(error, KeyUnavailable)
    ],
    indirect=["case"],
)


def raised_by(call: Callable[[], object]) -> KeyProviderError:
    with pytest.raises(KeyProviderError) as caught:
        call()
    return caught.value


@every_fault
def test_wrapping_fails_in_our_words(
    case: WrapperCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    wrapper = case.wrapper()
    with case.fault(fault):
        error = raised_by(lambda: wrapper.wrap(key, context))
    assert type(error) is case.faults[fault]
    assert_keeps_quiet(error, key)


@every_provider_fault
def test_unwrapping_fails_in_our_words(
    provider_case: ProviderCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with provider_case.fault(fault):
        error = raised_by(lambda: provider.unwrap(wrapped, context))
    assert type(error) is provider_case.faults[fault]
    assert_keeps_quiet(error, key)


@every_provider_fault
def test_generating_fails_in_our_words(
    provider_case: ProviderCase, fault: str, context: KeyContext
) -> None:
    provider = provider_case.provider()
    with provider_case.fault(fault):
        error = raised_by(lambda: provider.generate(context))
    assert type(error) is provider_case.faults[fault]


@every_provider_fault
def test_rewrapping_fails_in_our_words(
    provider_case: ProviderCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with provider_case.fault(fault):
        error = raised_by(lambda: provider.rewrap(wrapped, context))
    assert type(error) is provider_case.faults[fault]
    assert_keeps_quiet(error, key)


@every_provider_fault
def test_each_of_many_is_answered_with_the_error(
    provider_case: ProviderCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with provider_case.fault(fault):
        answers = (
            *provider.wrap_many([(key, context)] * 2),
            *provider.rewrap_many([(wrapped, context)] * 2),
            *provider.unwrap_many([(wrapped, context)] * 2),
        )
    assert [type(answer) for answer in answers] == [provider_case.faults[fault]] * 6


@every_outage
def test_an_outage_says_when_to_come_back(
    case: WrapperCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    wrapper = case.wrapper()
    with case.fault(fault):
        error = raised_by(lambda: wrapper.wrap(key, context))
    assert isinstance(error, KeyUnavailable)
    assert 1 <= error.retry_after <= 60


@every_fault
def test_the_status_is_an_answer_and_tells_of_the_fault(case: WrapperCase, fault: str) -> None:
    wrapper = case.wrapper()
    with case.fault(fault):
        status = wrapper.status()
    assert not status.healthy
    assert status.detail


@every_provider_fault
def test_ownership_is_known_without_the_backend(
    provider_case: ProviderCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with provider_case.fault(fault):
        owned = provider.owns(wrapped.key_ref)
    assert owned


@every_provider_fault
def test_it_works_again_when_the_backend_does(
    provider_case: ProviderCase, fault: str, key: DataKey, context: KeyContext
) -> None:
    provider = provider_case.provider()
    wrapped = provider.wrap(key, context)
    with provider_case.fault(fault):
        raised_by(lambda: provider.wrap(key, context))
    assert provider.unwrap(wrapped, context) == key
