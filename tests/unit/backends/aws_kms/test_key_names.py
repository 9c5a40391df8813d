"""ARNs that are accepted, and the wrappings that a key owns."""

import pytest

from backends.aws_kms.arn import KmsArn, key_of, key_ref
from backends.aws_kms.provider import from_spec
from backends.errors import KeyProviderConfigError
from backends.provider_uri import ProviderSpec
from config.files import Files
from tests.unit.backends.aws_kms.conftest import SETTING, provider_of

PLACE = "arn:aws:kms:eu-west-1:444455556666:"
KEY = PLACE + "key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = PLACE + "key/00000000-12ab-34cd-56ef-1234567890ab"
MULTI_REGION = PLACE + "key/mrk-1234abcd12ab34cd56ef1234567890ab"
ALIAS = PLACE + "alias/app/strongroom_1-a"
MATERIAL = "0d7e" * 16


@pytest.mark.parametrize(
    "arn",
    [
        KEY,
        MULTI_REGION,
        ALIAS,
        KEY.replace(":aws:", ":aws-cn:").replace("eu-west-1", "cn-north-1"),
        KEY.replace(":aws:", ":aws-us-gov:").replace("eu-west-1", "us-gov-west-1"),
        KEY.replace(":aws:", ":aws-eusc:").replace("eu-west-1", "eusc-de-east-1"),
        PLACE + "alias/" + "a" * 250,
    ],
)
def test_the_arn_of_a_key_or_alias_is_taken_as_it_is(arn: str) -> None:
    assert str(KmsArn.parse(arn)) == arn


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "alias/strongroom",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        KEY + "\n",
        " " + KEY,
        KEY + "#" + MATERIAL,
        KEY.upper(),
        KEY.replace("arn:", "urn:"),
        KEY.replace(":aws:", ":aws-moon:"),
        KEY.replace(":kms:", ":s3:"),
        KEY.replace("eu-west-1", ""),
        KEY.replace("eu-west-1", "eu-west-1.evil.example"),
        KEY.replace("eu-west-1", "eu-west-\u0661"),
        KEY.replace("444455556666", "11112222333"),
        KEY.replace("444455556666", "\u0661" * 12),
        KEY.replace("key/", "key/../"),
        KEY.replace("key/", "grant/"),
        KEY[:-1],
        KEY + "0",
        MULTI_REGION.replace("mrk-", "mrk-mrk-"),
        PLACE + "alias/",
        PLACE + "alias/aws/s3",
        PLACE + "alias/a b",
        PLACE + "alias/ä",
        PLACE + "alias/" + "a" * 251,
    ],
)
def test_nothing_else_is_taken_and_the_message_does_not_repeat_it(arn: str) -> None:
    with pytest.raises(KeyProviderConfigError) as caught:
        from_spec(ProviderSpec(SETTING, "aws-kms", arn, {}, 4, Files()))
    assert str(caught.value).startswith(f"{SETTING}: ")
    assert not arn or arn not in str(caught.value)


@pytest.mark.parametrize("reference", [KEY, f"{KEY}#{MATERIAL}"])
def test_a_key_owns_its_wrappings_of_whatever_material(reference: str) -> None:
    assert provider_of(KEY).owns(reference)


@pytest.mark.parametrize(
    "reference",
    [
        OTHER_KEY,
        MULTI_REGION,
        KEY.replace("eu-west-1", "eu-west-2"),
        KEY.replace("444455556666", "777788889999"),
        KEY + "#",
        KEY + "#a#b",
        KEY + "#" + "a" * 129,
        ALIAS,
    ],
)
def test_a_key_owns_no_other_wrappings(reference: str) -> None:
    assert not provider_of(KEY).owns(reference)


def test_a_multi_region_key_owns_its_wrappings_of_any_region() -> None:
    elsewhere = MULTI_REGION.replace("eu-west-1", "ap-southeast-2")
    assert provider_of(MULTI_REGION).owns(f"{elsewhere}#{MATERIAL}")


def test_a_key_is_one_root_key_whatever_its_material() -> None:
    provider = provider_of(KEY)
    assert provider.root_of(KEY) == provider.root_of(f"{KEY}#{MATERIAL}") != KEY


def test_a_multi_region_key_is_one_root_key_in_all_regions() -> None:
    provider = provider_of(MULTI_REGION)
    elsewhere = MULTI_REGION.replace("eu-west-1", "ap-southeast-2")
    assert provider.root_of(MULTI_REGION) == provider.root_of(f"{elsewhere}#{MATERIAL}")


@pytest.mark.parametrize(
    "reference",
    [
        MULTI_REGION.replace("444455556666", "777788889999"),
        MULTI_REGION.replace(":aws:", ":aws-cn:"),
        MULTI_REGION.replace("mrk-1", "mrk-2"),
    ],
)
def test_a_multi_region_key_owns_no_other_accounts_wrappings(reference: str) -> None:
    assert not provider_of(MULTI_REGION).owns(reference)


def test_an_alias_that_is_not_resolved_yet_owns_what_it_could_name() -> None:
    assert provider_of(ALIAS).owns(KEY)


@pytest.mark.parametrize(
    "reference",
    [
        ALIAS,
        KEY.replace("eu-west-1", "eu-west-2"),
        KEY.replace("444455556666", "777788889999"),
        "local-fernet:00",
    ],
)
def test_an_alias_never_owns_what_it_could_not_name(reference: str) -> None:
    assert not provider_of(ALIAS).owns(reference)


def test_the_longest_reference_fits_its_column() -> None:
    region = f"abcd-{'e' * 16}-{'f' * 16}-99"
    key = KmsArn.parse(KEY.replace(":aws:", ":aws-us-gov:").replace("eu-west-1", region))
    assert key is not None
    assert len(key_ref(key, "m" * 128)) <= 512


def test_a_reference_names_the_key_that_it_was_made_from() -> None:
    key = KmsArn.parse(KEY)
    assert key is not None
    assert key_of(key_ref(key, MATERIAL)) == key
