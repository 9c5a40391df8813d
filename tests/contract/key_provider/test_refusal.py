"""A wrapping that was changed, moved or made elsewhere does not open, and no reason is revealed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyProviderConfigError, UnknownKey
from backends.keyring.registry import create_provider
from backends.provider import WrappedKey
from tests.contract.key_provider.case import Opener, ProviderCase, WrapperCase
from tests.contract.key_provider.cases import CASES
from tests.contract.key_provider.leaks import assert_keeps_quiet

ONE_TEXT = str(DecryptionError())


def refused(opener: Opener, wrapped: WrappedKey, context: KeyContext) -> bool:
    """Return True if it is refused like tampering, in the one text."""
    try:
        opener(wrapped, context)
    except DecryptionError as error:
        return type(error) is DecryptionError and str(error) == ONE_TEXT
    return False


def other_contexts(context: KeyContext) -> Iterator[KeyContext]:
    """Every field changed, and fields whose text moved to a neighbour."""
    yield context._replace(deployment_id="dep_2")
    yield context._replace(account_id="acc_2")
    yield context._replace(data_key_id="dk_2")
    yield context._replace(account_id=context.data_key_id, data_key_id=context.account_id)
    yield context._replace(account_id="acc_", data_key_id="1" + context.data_key_id)
    yield context._replace(account_id="", data_key_id="")


def test_another_context_is_refused(case: WrapperCase, key: DataKey, context: KeyContext) -> None:
    wrapped = case.wrapper().wrap(key, context)
    opener = case.opener()
    assert [c for c in other_contexts(context) if not refused(opener, wrapped, c)] == []


def test_every_flipped_bit_is_refused(case: WrapperCase, key: DataKey, context: KeyContext) -> None:
    wrapped = case.wrapper().wrap(key, context)
    opener = case.opener()
    opened = []
    for bit in case.flips(wrapped.blob):
        blob = bytearray(wrapped.blob)
        blob[bit // 8] ^= 1 << bit % 8
        if not refused(opener, replace(wrapped, blob=bytes(blob)), context):
            opened.append(bit)
    assert opened == []


def test_every_truncation_is_refused(case: WrapperCase, key: DataKey, context: KeyContext) -> None:
    wrapped = case.wrapper().wrap(key, context)
    opener = case.opener()
    shorter = (replace(wrapped, blob=wrapped.blob[:n]) for n in range(len(wrapped.blob)))
    assert [len(w.blob) for w in shorter if not refused(opener, w, context)] == []


@pytest.mark.parametrize(
    "extra",
    [b"\0", b"\n", b" ", b"=", b"A", b"AAAA"],
    ids=["a zero", "a newline", "a space", "a fill", "a digit", "a group"],
)
def test_trailing_bytes_are_refused(
    case: WrapperCase, key: DataKey, context: KeyContext, extra: bytes
) -> None:
    wrapped = case.wrapper().wrap(key, context)
    longer = replace(wrapped, blob=wrapped.blob + extra)
    assert refused(case.opener(), longer, context)


@pytest.mark.parametrize(
    "blob",
    [b"\0" * 100, b"\xff" * 100, b"vault:v1:", b"{}", b"A" * 4096],
    ids=["zeros", "ones", "a prefix", "an object", "letters"],
)
def test_bytes_that_are_no_wrapping_are_refused(
    case: WrapperCase, key: DataKey, context: KeyContext, blob: bytes
) -> None:
    wrapped = case.wrapper().wrap(key, context)
    assert refused(case.opener(), replace(wrapped, blob=blob), context)


def test_the_wrapping_of_another_key_does_not_pass_for_this_one(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapper = case.wrapper()
    wrapped = wrapper.wrap(key, context)
    other = wrapper.wrap(key, context._replace(data_key_id="dk_2"))
    assert refused(case.opener(), replace(wrapped, blob=other.blob), context)


def test_a_wrapping_under_another_root_key_is_unknown(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = case.unrelated_wrapper().wrap(key, context)
    opener = case.opener()
    with pytest.raises(UnknownKey):
        opener(wrapped, context)


def test_a_wrapping_under_another_root_key_relabelled_as_ours_is_refused(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    ours = case.wrapper().wrap(key, context)
    theirs = case.unrelated_wrapper().wrap(key, context)
    assert refused(case.opener(), replace(ours, blob=theirs.blob), context)


def test_a_refusal_does_not_show_the_key(
    case: WrapperCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = case.wrapper().wrap(key, context)
    opener = case.opener()
    with pytest.raises(DecryptionError) as caught:
        opener(wrapped, context._replace(account_id="acc_2"))
    assert_keeps_quiet(caught.value, key)


def test_a_provider_owns_what_it_wrapped(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.provider().wrap(key, context)
    assert provider_case.provider().owns(wrapped.key_ref)


def test_a_provider_does_not_own_what_another_wrapped(
    provider_case: ProviderCase, key: DataKey, context: KeyContext
) -> None:
    wrapped = provider_case.unrelated_provider().wrap(key, context)
    assert not provider_case.provider().owns(wrapped.key_ref)


@pytest.mark.parametrize("key_ref", ["", ":", "x", "local-fernet:", "arn:aws:kms:", "\0", "é" * 9])
def test_a_provider_owns_no_made_up_reference(provider_case: ProviderCase, key_ref: str) -> None:
    assert not provider_case.provider().owns(key_ref)


@pytest.mark.parametrize(
    ("case", "name"),
    [(scheme, name) for scheme, case in CASES.items() for name in case.misconfigurations],
    indirect=["case"],
)
def test_a_wrong_setting_is_refused_by_name_and_not_repeated(case: WrapperCase, name: str) -> None:
    spec = case.misconfigured(name)
    with pytest.raises(KeyProviderConfigError) as caught:
        create_provider(spec)
    message = str(caught.value)
    assert message.startswith(f"{spec.setting}: ")
    assert spec.location not in message
