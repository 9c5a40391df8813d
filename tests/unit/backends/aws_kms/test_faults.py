"""Whatever KMS answers, the caller gets one of our errors and nothing of what was said."""

import base64
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.provider import WrappedKey
from tests.unit.backends.aws_kms.conftest import CALLS, SETTING, provider_of
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import VENDOR_TEXT, Fault, Kms, answer, kms_in_process, refusal

Made = tuple[DataKey, WrappedKey]


@pytest.fixture(scope="module")
def shared_kms() -> Iterator[Kms]:
    """One for all tests here: a client takes a tenth of a second to build."""
    with kms_in_process() as kms:
        yield kms


@pytest.fixture
def kms(shared_kms: Kms) -> Iterator[Kms]:
    yield shared_kms
    shared_kms.fault = None


@pytest.fixture(scope="module")
def shared_arn(shared_kms: Kms) -> str:
    return shared_kms.create_key()


@pytest.fixture(scope="module")
def provider(shared_arn: str) -> AwsKms:
    return provider_of(shared_arn)


@pytest.fixture
def made(kms: Kms, provider: AwsKms, context: KeyContext) -> Made:
    return provider.generate(context)


def failure_of(call: str, provider: AwsKms, made: Made, context: KeyContext) -> KeyProviderError:
    with pytest.raises(KeyProviderError) as caught:
        CALLS[call](provider, *made, context)
    return caught.value


def only(operation: str, fault: Fault) -> Fault:
    return lambda asked, content: fault(asked, content) if asked == operation else None


def changed(**fields: str) -> Fault:
    """KMS's answer with these fields in place of its own."""

    def change(_operation: str, content: dict[str, Any]) -> AWSResponse:
        return answer(200, {**content, **fields})

    return change


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_becomes_its_own_error(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, fault: str, call: str
) -> None:
    error_class, kms.fault = FAULTS[fault]
    assert type(failure_of(call, provider, made, context)) is error_class


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_holds_no_word_of_the_vendor(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, fault: str
) -> None:
    kms.fault = FAULTS[fault][1]
    error = failure_of("wrap", provider, made, context)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert VENDOR_TEXT not in "".join(shown.format())


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_has_no_error_of_the_vendor_behind_it(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, fault: str
) -> None:
    kms.fault = FAULTS[fault][1]
    error = failure_of("generate", provider, made, context)
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_status_says_which_entry_is_unwell(kms: Kms, provider: AwsKms, fault: str) -> None:
    kms.fault = FAULTS[fault][1]
    status = provider.status()
    assert (status.healthy, status.key_ref) == (False, None)
    assert status.detail.startswith(f"{SETTING}: ")


def test_a_throttled_caller_is_told_to_wait_longer(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext
) -> None:
    kms.fault = FAULTS["throttled"][1]
    error = failure_of("unwrap", provider, made, context)
    assert isinstance(error, KeyUnavailable)
    assert error.retry_after == 5


OUTAGES = [fault for fault, (kind, _) in FAULTS.items() if kind is KeyUnavailable]


@pytest.mark.parametrize("fault", OUTAGES)
def test_throttling_is_told_from_an_outage(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, fault: str
) -> None:
    kms.fault = FAULTS[fault][1]
    error = failure_of("unwrap", provider, made, context)
    assert isinstance(error, KeyUnavailable)
    assert error.throttled == (fault in {"throttled", "over a limit", "429 page"})


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("InvalidCiphertextException", DecryptionError),
        ("IncorrectKeyException", DecryptionError),
        ("NotFoundException", UnknownKey),
        ("DisabledException", KeyDisabled),
        ("KMSInvalidStateException", KeyDisabled),
        ("InvalidKeyUsageException", KeyProviderConfigError),
        ("UnsupportedOperationException", KeyProviderConfigError),
        ("ValidationException", KeyProviderConfigError),
        ("InvalidArnException", KeyProviderConfigError),
        ("AccessDenied", KeyAccessDenied),
        ("InvalidClientTokenId", KeyAccessDenied),
        ("SignatureDoesNotMatch", KeyAccessDenied),
        ("com.amazonaws.kms#DisabledException", KeyDisabled),
    ],
)
def test_each_code_has_its_meaning(
    kms: Kms,
    provider: AwsKms,
    made: Made,
    context: KeyContext,
    code: str,
    error_class: type[KeyProviderError],
) -> None:
    kms.fault = lambda _operation, _content: refusal(code)
    assert type(failure_of("unwrap", provider, made, context)) is error_class


@pytest.mark.parametrize("call", ["generate", "unwrap"])
@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_data_key_of_another_length_is_a_fault_of_kms(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, call: str, length: int
) -> None:
    kms.fault = changed(Plaintext=base64.b64encode(bytes(length)).decode())
    assert type(failure_of(call, provider, made, context)) is KeyUnavailable


@pytest.mark.parametrize("call", ["generate", "wrap", "rewrap"])
def test_an_empty_wrapping_is_not_taken(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, call: str
) -> None:
    kms.fault = changed(CiphertextBlob="")
    assert type(failure_of(call, provider, made, context)) is KeyUnavailable


@pytest.mark.parametrize("call", ["generate", "rewrap"])
def test_a_wrapping_of_an_unspeakable_key_material_is_not_taken(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, call: str
) -> None:
    kms.fault = changed(KeyMaterialId="#" * 64, DestinationKeyMaterialId="x" * 500)
    assert type(failure_of(call, provider, made, context)) is KeyUnavailable


@pytest.mark.parametrize("code", ["InvalidCiphertextException", "IncorrectKeyException"])
def test_a_new_wrapping_that_does_not_open_is_an_outage_and_not_tampering(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, code: str
) -> None:
    kms.fault = only("Decrypt", lambda _operation, _content: refusal(code))
    assert type(failure_of("wrap", provider, made, context)) is KeyUnavailable


def test_a_new_wrapping_that_holds_another_key_is_not_taken(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext
) -> None:
    kms.fault = only("Decrypt", changed(Plaintext="A" * 43 + "="))
    assert type(failure_of("wrap", provider, made, context)) is KeyUnavailable


def test_a_reencryption_from_another_key_is_not_taken(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext
) -> None:
    kms.fault = changed(SourceKeyId=kms.create_key())
    assert type(failure_of("rewrap", provider, made, context)) is KeyUnavailable


@pytest.mark.parametrize("length", [0, 6145])
def test_a_blob_that_kms_cannot_have_made_is_refused_without_a_request(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext, length: int
) -> None:
    key, wrapped = made
    kms.asked.clear()
    blob = WrappedKey(wrapped.scheme, wrapped.key_ref, bytes(length))
    assert type(failure_of("unwrap", provider, (key, blob), context)) is DecryptionError
    assert kms.asked == []


def test_a_failed_attempt_is_made_once_more(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext
) -> None:
    kms.fault = FAULTS["internal"][1]
    kms.asked.clear()
    failure_of("generate", provider, made, context)
    assert [operation for operation, _ in kms.asked] == ["GenerateDataKey"] * 2


def test_a_refusal_is_not_asked_for_twice(
    kms: Kms, provider: AwsKms, made: Made, context: KeyContext
) -> None:
    kms.fault = FAULTS["denied"][1]
    kms.asked.clear()
    failure_of("generate", provider, made, context)
    assert [operation for operation, _ in kms.asked] == ["GenerateDataKey"]
