"""Credentials come from boto3's usual chain; what is wrong with them heals without a restart."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore import exceptions as aws

from backends.aws_kms.provider import AwsKms
from backends.calls import client_keeper
from backends.context import KeyContext
from backends.errors import CredentialsMissing, KeyAccessDenied
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import VENDOR_TEXT, Kms

Write = Callable[[str], None]


@pytest.fixture
def write_credentials(kms: Kms, tmp_path: Path) -> Iterator[Write]:
    """Fills the only place where credentials can be found; empty at first."""
    file = tmp_path / "credentials"

    def write(key_id: str) -> None:
        file.write_text(
            f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = secret\n"
        )

    with pytest.MonkeyPatch.context() as patch:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(variable, "")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        patch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield write


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a faulty source be read again at once."""
    monkeypatch.setattr(client_keeper, "_PAUSE", 0.0)


@pytest.mark.usefixtures("write_credentials")
def test_missing_credentials_are_a_denial(provider: AwsKms, context: KeyContext) -> None:
    with pytest.raises(KeyAccessDenied, match="no usable AWS credentials"):
        provider.generate(context)


@pytest.mark.usefixtures("impatient")
def test_credentials_that_come_later_are_found(
    provider: AwsKms, context: KeyContext, write_credentials: Write
) -> None:
    with pytest.raises(KeyAccessDenied):
        provider.generate(context)
    write_credentials("LATER")
    key, wrapped = provider.generate(context)
    assert provider.unwrap(wrapped, context) == key


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["expired token", "unknown client", "denied"])
def test_refused_credentials_are_looked_up_anew(
    kms: Kms, provider: AwsKms, context: KeyContext, write_credentials: Write, fault: str
) -> None:
    write_credentials("OLD")
    kms.fault = FAULTS[fault][1]
    with pytest.raises(KeyAccessDenied):
        provider.generate(context)
    kms.fault = None
    write_credentials("NEW")
    provider.generate(context)
    assert kms.signed_by == ["OLD", "NEW"]


def test_credentials_are_not_looked_up_for_every_call_that_is_refused(
    kms: Kms, provider: AwsKms, context: KeyContext, write_credentials: Write
) -> None:
    write_credentials("OLD")
    kms.fault = FAULTS["denied"][1]
    for _ in range(3):
        with pytest.raises(KeyAccessDenied):
            provider.generate(context)
        write_credentials("NEW")
    assert kms.signed_by == ["OLD"] * 3


def test_credentials_that_work_are_kept(
    kms: Kms, provider: AwsKms, context: KeyContext, write_credentials: Write
) -> None:
    write_credentials("FIRST")
    provider.generate(context)
    write_credentials("SECOND")
    provider.generate(context)
    assert kms.signed_by == ["FIRST", "FIRST"]


def test_half_of_a_pair_is_a_denial(
    provider: AwsKms, context: KeyContext, write_credentials: Write
) -> None:
    write_credentials("WHOLE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "HALF")
        with pytest.raises(KeyAccessDenied, match="no usable AWS credentials"):
            provider.generate(context)


@pytest.mark.parametrize(
    "error",
    [
        aws.NoCredentialsError(),
        aws.PartialCredentialsError(provider="env", cred_var=VENDOR_TEXT),
        aws.CredentialRetrievalError(provider="custom-process", error_msg=VENDOR_TEXT),
        aws.CredentialRetrievalError(provider="container-role", error_msg=VENDOR_TEXT),
        aws.MetadataRetrievalError(error_msg=VENDOR_TEXT),
        aws.TokenRetrievalError(provider="sso", error_msg=VENDOR_TEXT),
        aws.UnauthorizedSSOTokenError(),
        aws.LoginRefreshRequired(),
        ValueError(VENDOR_TEXT),
    ],
)
def test_credentials_that_cannot_be_had_are_missing_and_no_vendors_word_is_told(
    monkeypatch: pytest.MonkeyPatch, provider: AwsKms, context: KeyContext, error: Exception
) -> None:
    def fail(_session: object) -> None:
        raise error

    monkeypatch.setattr(boto3.session.Session, "get_credentials", fail)
    missing = failure_of(provider, context)
    shown = traceback.TracebackException.from_exception(missing, capture_locals=True)
    assert VENDOR_TEXT not in "".join(shown.format())
    assert (missing.__cause__, missing.__context__) == (None, None)


def failure_of(provider: AwsKms, context: KeyContext) -> CredentialsMissing:
    with pytest.raises(CredentialsMissing) as caught:
        provider.generate(context)
    return caught.value
