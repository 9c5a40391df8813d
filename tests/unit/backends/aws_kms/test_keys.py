"""States and types of keys, materials, aliases and Regions, as KMS has them."""

from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.errors import KeyDisabled, KeyProviderConfigError, KeyUnavailable, UnknownKey
from backends.provider import WrappedKey
from tests.unit.backends.aws_kms.conftest import SETTING, provider_of
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import Kms


@pytest.mark.parametrize("state", ["Enabled", "Updating"])
def test_a_key_in_a_usable_state_is_healthy(
    kms: Kms, provider: AwsKms, arn: str, state: str
) -> None:
    kms.set_state(arn, state)
    assert provider.status().healthy


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("Creating", "still being made"),
        ("Disabled", "disabled"),
        ("PendingDeletion", "deletion"),
        ("PendingReplicaDeletion", "deletion"),
        ("PendingImport", "material"),
        ("Unavailable", "key store"),
        ("Haunted", "cannot be used"),
    ],
)
def test_a_status_says_what_is_wrong_with_the_key(
    kms: Kms, provider: AwsKms, arn: str, state: str, words: str
) -> None:
    kms.set_state(arn, state)
    status = provider.status()
    assert not status.healthy
    assert status.detail.startswith(f"{SETTING}: ")
    assert words in status.detail


def test_a_disabled_key_still_has_a_current_reference(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    _, wrapped = provider.generate(context)
    kms.set_state(arn, "Disabled")
    assert provider.status().key_ref == wrapped.key_ref


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_is_switched_off_and_on_again_opens_again(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext, state: str
) -> None:
    key, wrapped = provider.generate(context)
    kms.set_state(arn, state)
    with pytest.raises(KeyDisabled):
        provider.unwrap(wrapped, context)
    kms.set_state(arn, "Enabled")
    assert provider.unwrap(wrapped, context) == key


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ],
)
def test_a_key_of_another_type_is_never_healthy(kms: Kms, spec: str, usage: str) -> None:
    status = provider_of(kms.create_key(spec=spec, usage=usage)).status()
    assert not status.healthy
    assert status.detail.startswith(f"{SETTING}: the KMS key must be a symmetric key")


def test_an_alias_of_a_key_of_another_type_is_refused_by_its_setting(
    kms: Kms, context: KeyContext
) -> None:
    arn = kms.create_key(spec="RSA_2048")
    provider = provider_of(kms.point_alias("app", arn))
    with pytest.raises(KeyProviderConfigError, match="STRONGROOM_KEYS"):
        provider.generate(context)


def test_a_wrapping_names_the_material_that_it_is_under(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    material = kms.rotate(arn)
    key, generated = provider.generate(context)
    wrapped = provider.wrap(key, context)
    assert [generated.key_ref, wrapped.key_ref] == [f"{arn}#{material}"] * 2


def test_a_process_that_runs_on_notices_a_rotation(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    _, wrapped = provider.generate(context)
    kms.rotate(arn)
    assert provider.rewrap(wrapped, context).key_ref == provider.status().key_ref


def test_an_alias_stands_for_the_key_that_it_names(kms: Kms, arn: str, context: KeyContext) -> None:
    provider = provider_of(kms.point_alias("app", arn))
    _, wrapped = provider.generate(context)
    assert wrapped.key_ref.partition("#")[0] == arn


def test_an_alias_opens_what_its_key_wrapped(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    key, wrapped = provider.generate(context)
    assert provider_of(kms.point_alias("app", arn)).unwrap(wrapped, context) == key


def test_an_alias_is_resolved_once(kms: Kms, arn: str, context: KeyContext) -> None:
    provider = provider_of(kms.point_alias("app", arn))
    for _ in range(3):
        provider.generate(context)
    asked = [operation for operation, _ in kms.asked]
    assert asked == ["DescribeKey", *["GenerateDataKey"] * 3]


def test_a_running_process_stays_with_its_key_when_the_alias_moves(
    kms: Kms, arn: str, context: KeyContext
) -> None:
    alias = kms.point_alias("app", arn)
    provider = provider_of(alias)
    _, before = provider.generate(context)
    kms.point_alias("app", kms.create_key())
    _, after = provider.generate(context)
    assert after.key_ref == before.key_ref


def test_a_new_process_takes_the_key_that_the_alias_moved_to(
    kms: Kms, arn: str, context: KeyContext
) -> None:
    kms.point_alias("app", arn)
    moved_to = kms.create_key()
    provider = provider_of(kms.point_alias("app", moved_to))
    _, wrapped = provider.generate(context)
    assert wrapped.key_ref.partition("#")[0] == moved_to


def test_what_an_alias_named_before_is_unknown_rather_than_tampered(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    _, wrapped = provider.generate(context)
    kms.point_alias("app", arn)
    moved = provider_of(kms.point_alias("app", kms.create_key()))
    with pytest.raises(UnknownKey):
        moved.unwrap(wrapped, context)


def test_what_an_alias_named_before_is_not_owned_once_it_is_resolved(
    kms: Kms, arn: str, context: KeyContext
) -> None:
    moved = provider_of(kms.point_alias("app", kms.create_key()))
    moved.generate(context)
    assert not moved.owns(arn)


def test_an_alias_that_could_not_be_resolved_is_resolved_later(
    kms: Kms, provider: AwsKms, arn: str, context: KeyContext
) -> None:
    key, wrapped = provider.generate(context)
    late = provider_of(kms.point_alias("app", arn))
    kms.fault = FAULTS["internal"][1]
    with pytest.raises(KeyUnavailable):
        late.unwrap(wrapped, context)
    kms.fault = None
    assert late.unwrap(wrapped, context) == key


def test_an_alias_that_does_not_exist_is_an_unknown_key(kms: Kms, context: KeyContext) -> None:
    place = kms.create_key().partition("key/")[0]
    with pytest.raises(UnknownKey):
        provider_of(place + "alias/nowhere").generate(context)


def test_a_replica_opens_what_another_region_wrapped(kms: Kms, context: KeyContext) -> None:
    here, there = kms.create_multi_region_key("us-east-1")
    key, wrapped = provider_of(here).generate(context)
    elsewhere = replace(wrapped, key_ref=wrapped.key_ref.replace(here, there))
    assert provider_of(here).unwrap(elsewhere, context) == key


def test_a_key_of_several_regions_is_asked_for_in_its_own(kms: Kms, context: KeyContext) -> None:
    here, there = kms.create_multi_region_key("us-east-1")
    _, wrapped = provider_of(here).generate(context)
    kms.asked.clear()
    elsewhere = replace(wrapped, key_ref=wrapped.key_ref.replace(here, there))
    provider_of(here).rewrap(elsewhere, context)
    assert [body["SourceKeyId"] for _, body in kms.asked] == [here]


def test_rewrapping_many_asks_for_several_at_once(
    kms: Kms, provider: AwsKms, context: KeyContext
) -> None:
    _, wrapped = provider.generate(context)
    all_four = Barrier(4)

    def wait_for_the_others(_operation: str, _content: dict[str, Any]) -> None:
        all_four.wait(timeout=10)

    kms.fault = wait_for_the_others
    answers = provider.rewrap_many([(wrapped, context)] * 4)
    assert [type(answer) for answer in answers] == [WrappedKey] * 4


@pytest.mark.parametrize("many", ["wrap_many", "rewrap_many", "unwrap_many"])
@pytest.mark.parametrize("fault", ["internal", "denied"])
def test_an_outage_or_denial_ends_the_asking_for_many(
    kms: Kms, provider: AwsKms, context: KeyContext, fault: str, many: str
) -> None:
    key, wrapped = provider.generate(context)
    subject = key if many == "wrap_many" else wrapped
    error_class, kms.fault = FAULTS[fault]
    kms.asked.clear()
    answers = getattr(provider, many)([(subject, context)] * 50)
    assert [type(answer) for answer in answers] == [error_class] * 50
    assert len(kms.asked) <= 8  # at most two attempts of each of the four at once
