"""Credentials from every source of boto3's chain, as slow as they are in companies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.tokens import SSOTokenProvider

from app.services.diagnostics import look_at_providers
from backends.aws_kms.provider import AwsKms
from backends.calls import client_keeper
from backends.calls.request_deadline import request_deadline
from backends.context import KeyContext
from backends.errors import (
    CredentialsMissing,
    KeyAccessDenied,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
)
from backends.keyring.bounded_provider import CALL_SECONDS, BoundedProvider
from backends.keyring.keyring import Keyring
from tests.unit.backends.aws_kms.conftest import provider_of
from tests.unit.backends.aws_kms.kms import VENDOR_TEXT, Kms
from tests.unit.backends.aws_kms.sources import SOURCES, SSO_CACHE, Source, source

SLOW = 2.5  # for each request: longer than boto3 itself waits for an instance's or a container's
NOTHING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)

Use = Callable[[str], Source]
Configure = Callable[[str], None]


@pytest.fixture
def bare(kms: Kms, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An environment in which no credentials can be found."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in NOTHING:
            patch.delenv(variable, raising=False)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        patch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / SSO_CACHE))
        yield patch


@pytest.fixture
def used(bare: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Use]:
    """Makes a source the only place where credentials can be found."""
    with source() as made:

        def use(name: str) -> Source:
            for variable, value in SOURCES[name](made, tmp_path).items():
                bare.setenv(variable, value)
            return made

        use.made = made  # type: ignore[attr-defined]
        yield use


@pytest.fixture
def configured(bare: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Writes the profile that is in use."""

    def write(text: str) -> None:
        (tmp_path / "config").write_text(f"[profile app]\n{text}\n")
        bare.setenv("AWS_PROFILE", "app")

    return write


@pytest.mark.parametrize("name", SOURCES)
def test_credentials_come_from_every_source(
    kms: Kms, provider: AwsKms, context: KeyContext, used: Use, name: str
) -> None:
    used(name)
    provider.prepare(30)
    provider.generate(context)
    assert [key.startswith("KEY") for key in kms.signed_by] == [True]


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "process"])
def test_a_slow_source_is_waited_for_apart_from_calls(
    kms: Kms, provider: AwsKms, context: KeyContext, used: Use, name: str
) -> None:
    used(name).delay = SLOW
    provider.prepare(30)
    provider.generate(context)
    assert len(kms.signed_by) == 1


def test_a_slow_command_fails_no_call_for_good(
    monkeypatch: pytest.MonkeyPatch,
    kms: Kms,
    provider: AwsKms,
    context: KeyContext,
    used: Use,
) -> None:
    """A request gives up after 3 s, the command goes on, and what is no request waits for it."""
    monkeypatch.setattr(client_keeper, "CALL_SECONDS", 0.01)
    used.made.delay = CALL_SECONDS + 0.5  # type: ignore[attr-defined]
    used("process")
    member = BoundedProvider(provider, concurrency=4)
    with request_deadline(8), pytest.raises(KeyUnavailable, match="still being fetched"):
        member.generate(context)
    member.generate(context)
    assert len(kms.signed_by) == 1


def test_check_waits_for_a_slow_command(kms: Kms, provider: AwsKms, used: Use) -> None:
    used.made.delay = CALL_SECONDS + 0.5  # type: ignore[attr-defined]
    used("process")
    assert look_at_providers(Keyring([provider])).faults == []
    assert kms.signed_by


def test_a_command_runs_once_for_all_calls(
    kms: Kms, provider: AwsKms, context: KeyContext, configured: Configure, tmp_path: Path
) -> None:
    script = tmp_path / "login"
    keys = '{"Version": 1, "AccessKeyId": "KEY", "SecretAccessKey": "secret"}'
    script.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\necho '{keys}'\n")
    script.chmod(0o700)
    configured(f"credential_process = {script}")
    for _ in range(3):
        provider.generate(context)
    assert (tmp_path / "runs").read_text() == "run\n"
    assert kms.signed_by == ["KEY"] * 3


def test_the_next_credentials_are_used_before_the_first_have_ended(
    monkeypatch: pytest.MonkeyPatch, kms: Kms, provider: AwsKms, context: KeyContext, used: Use
) -> None:
    now = 1000.0
    monkeypatch.setattr(client_keeper, "age_seconds", lambda: now)
    monkeypatch.setattr(client_keeper, "monotonic", lambda: now)
    used("container")
    provider.generate(context)
    first = provider._keeper.get().client()
    now += 3600 - 900
    provider.generate(context)
    build = provider._keeper.get()._build
    if build is not None:
        build.result(30)
    provider.generate(context)
    assert provider._keeper.get().client() is not first
    assert kms.signed_by[0] != kms.signed_by[-1]


def failure_of(provider: AwsKms, context: KeyContext) -> KeyProviderError:
    provider.prepare(30)
    with pytest.raises(KeyProviderError) as caught:
        provider.generate(context)
    assert VENDOR_TEXT not in str(caught.value)
    return caught.value


@pytest.mark.usefixtures("bare")
def test_missing_credentials_name_the_ways_to_them(provider: AwsKms, context: KeyContext) -> None:
    failure = failure_of(provider, context)
    assert type(failure) is CredentialsMissing
    assert "AWS_PROFILE" in str(failure)
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in str(failure)


CONFIGURATIONS = {
    "command that fails": ("credential_process = false", CredentialsMissing, "credential_process"),
    "command that is not there": (
        "credential_process = /no/such/command",
        CredentialsMissing,
        "cannot be read",
    ),
    "SSO without a session": (
        (
            "sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = app\n"
            "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://example.com"
        ),
        CredentialsMissing,
        "aws sso login",
    ),
    "login session": ("login_session = arn:aws:iam::123456789012:user/me", None, "login"),
    "role without its source": (
        "role_arn = arn:aws:iam::123456789012:role/r",
        CredentialsMissing,
        "no usable AWS credentials",
    ),
    "role of a profile that is not there": (
        "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = nobody",
        KeyProviderConfigError,
        "AWS_PROFILE",
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_source_that_fails_is_named_with_the_way_out(
    provider: AwsKms, context: KeyContext, configured: Configure, name: str
) -> None:
    text, kind, words = CONFIGURATIONS[name]
    configured(text)
    failure = failure_of(provider, context)
    assert words in str(failure)
    assert kind is None or type(failure) is kind


@pytest.mark.parametrize(
    ("name", "status", "kind", "words"),
    [
        ("container", 500, CredentialsMissing, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("web identity", 403, KeyAccessDenied, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("assumed role", 403, KeyAccessDenied, "role_arn"),
        ("web identity", 429, KeyUnavailable, "STS"),
        ("instance", 404, CredentialsMissing, "role"),
    ],
)
def test_a_source_that_refuses_is_named(
    provider: AwsKms,
    context: KeyContext,
    used: Use,
    name: str,
    status: int,
    kind: type[KeyProviderError],
    words: str,
) -> None:
    used(name).status = status
    failure = failure_of(provider, context)
    assert type(failure) is kind
    assert words in str(failure)


PARTITIONS = {
    "eu-west-1": ("aws", "amazonaws.com"),
    "cn-north-1": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-west-1": ("aws-us-gov", "amazonaws.com"),
    "eusc-de-east-1": ("aws-eusc", "amazonaws.eu"),
    "us-iso-east-1": ("aws-iso", "c2s.ic.gov"),
    "us-isob-east-1": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-west-1": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-south-1": ("aws-iso-f", "csp.hci.ic.gov"),
}


@pytest.mark.parametrize("region", PARTITIONS)
@pytest.mark.usefixtures("kms")
def test_the_endpoint_is_that_of_the_partition(region: str) -> None:
    partition, suffix = PARTITIONS[region]
    key = "key/1234abcd-12ab-34cd-56ef-1234567890ab"
    provider = provider_of(f"arn:{partition}:kms:{region}:123456789012:{key}")
    client = provider._keeper.get().client()
    assert client.meta.endpoint_url == f"https://kms.{region}.{suffix}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("partition", "region"), [("aws-cn", "eu-west-1"), ("aws", "cn-north-1"), ("aws-iso", "zz-a-1")]
)
@pytest.mark.usefixtures("kms")
def test_a_partition_that_is_not_its_regions_is_refused(
    context: KeyContext, partition: str, region: str
) -> None:
    key = "key/1234abcd-12ab-34cd-56ef-1234567890ab"
    provider = provider_of(f"arn:{partition}:kms:{region}:123456789012:{key}")
    with pytest.raises(KeyProviderConfigError, match="partition"):
        provider.generate(context)
