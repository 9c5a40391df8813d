"""Translates AWS KMS's error codes, HTTP statuses and states of keys into our errors.

Names no SDK: a code is a string on the wire. The codes of KMS are those of its API Reference, the
common errors and the errors of each operation; those of STS come up on the way to credentials.
"""

from collections.abc import Callable, Mapping
from typing import Any

from backends.errors import (
    CredentialsMissing,
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)

Problem = Callable[[str], KeyProviderError]
"""Makes the error, given the setting that lists the provider."""


def problem(error: type[KeyProviderError], text: str) -> Problem:
    """An error of this class whose message is the setting and ``text``."""
    return lambda setting: error(f"{setting}: {text}")


def outage(text: str) -> Problem:
    """A ``KeyUnavailable`` of this text."""
    return lambda setting: KeyUnavailable(f"{setting}: {text}")


def _throttles(setting: str) -> KeyUnavailable:
    message = f"{setting}: KMS throttles this account."
    return KeyUnavailable(message, retry_after=5, throttled=True)


def _does_not_open(_setting: str) -> DecryptionError:
    return DecryptionError()


GARBLED = outage("KMS gave an answer that makes no sense.")
WRONG_KEY_TYPE = problem(
    KeyProviderConfigError, "the KMS key must be a symmetric key for encryption and decryption."
)
NOT_ACCEPTED = problem(KeyProviderConfigError, "KMS accepts no such request for this ARN.")

WRONG_PARTITION = problem(
    KeyProviderConfigError,
    "the ARN's partition does not fit its Region, as far as this version of boto3 knows.",
)
BAD_CONFIGURATION = problem(
    KeyProviderConfigError,
    "the AWS configuration, profile or endpoint is not usable: look at AWS_PROFILE,"
    " AWS_CONFIG_FILE and AWS_ENDPOINT_URL_KMS.",
)

_AS_OURS = "as the user that Strongroom runs as."

NO_CREDENTIALS = problem(
    CredentialsMissing,
    "no usable AWS credentials were found. Set AWS_PROFILE, AWS_ACCESS_KEY_ID and"
    " AWS_SECRET_ACCESS_KEY, AWS_WEB_IDENTITY_TOKEN_FILE, or give the machine a role.",
)
CREDENTIALS_IN_HALVES = problem(
    CredentialsMissing,
    "no usable AWS credentials were found: of an access key id and its secret one is missing, in"
    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or in the profile.",
)
SSO_IS_OVER = problem(
    CredentialsMissing, f"the AWS SSO session has ended: run aws sso login {_AS_OURS}"
)
LOGIN_IS_OVER = problem(
    CredentialsMissing, f"the AWS login session has ended: run aws login {_AS_OURS}"
)
NO_CRT = problem(
    KeyProviderConfigError,
    "the profile's login_session needs a package that is not installed: pip install awscrt.",
)
PROCESS_FAILED = problem(
    CredentialsMissing,
    f"the credential_process of the AWS profile failed or gave no credentials: run it {_AS_OURS}",
)
NO_CONTAINER_CREDENTIALS = problem(
    CredentialsMissing,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI gave no AWS credentials.",
)
CREDENTIALS_UNREACHABLE = outage(
    "The source of AWS credentials (STS, SSO or the metadata service) cannot be reached."
)
CREDENTIALS_GARBLED = problem(
    CredentialsMissing,
    "the AWS credentials cannot be read: look at the files and the command that the AWS_ variables"
    " and the profile name.",
)
_ROLE_REFUSED = problem(
    KeyAccessDenied,
    "AWS refuses credentials for the role: look at role_arn or AWS_ROLE_ARN, its trust policy and"
    " the token in AWS_WEB_IDENTITY_TOKEN_FILE.",
)
_ROLE_FAILED = outage("STS or SSO fails or throttles this account.")

_FAILING = outage("KMS has an internal problem.")
_UNHEARD_OF = outage("KMS refuses for a reason that this version does not know.")
_DENIED = problem(
    KeyAccessDenied, "KMS refuses: these credentials know no such key, or may not use it."
)
_BAD_CREDENTIALS = problem(
    KeyAccessDenied,
    "AWS does not accept the credentials: look at the access key, its secret and the machine's"
    " clock.",
)
_EXPIRED = problem(
    CredentialsMissing,
    "AWS says that the credentials have expired: renew them, or set the machine's clock.",
)
_DISABLED = problem(KeyDisabled, "the KMS key is disabled.")
_NOT_READY = problem(
    KeyDisabled,
    "the KMS key waits for its deletion, lacks its key material, or its key store is away.",
)
_NO_SUCH_KEY = problem(UnknownKey, "KMS has no such key.")

_CODES: Mapping[str, Problem] = {
    "ThrottlingException": _throttles,
    "Throttling": _throttles,
    "LimitExceededException": _throttles,
    "RequestLimitExceeded": _throttles,
    "TooManyRequestsException": _throttles,
    "DisabledException": _DISABLED,
    "KMSInvalidStateException": _NOT_READY,
    "AccessDeniedException": _DENIED,
    "AccessDenied": _DENIED,
    "IncorrectKeyException": _does_not_open,
    "InvalidCiphertextException": _does_not_open,
    "KMSInternalException": _FAILING,
    "DependencyTimeoutException": _FAILING,
    "KeyUnavailableException": _FAILING,
    "NotFoundException": _NO_SUCH_KEY,
    "InvalidKeyUsageException": WRONG_KEY_TYPE,
    "UnsupportedOperationException": WRONG_KEY_TYPE,
    "InvalidArnException": NOT_ACCEPTED,
    "ValidationException": NOT_ACCEPTED,
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "UnrecognizedClientException": _BAD_CREDENTIALS,
    "InvalidClientTokenId": _BAD_CREDENTIALS,
    "InvalidSignatureException": _BAD_CREDENTIALS,
    "SignatureDoesNotMatch": _BAD_CREDENTIALS,
    "IncompleteSignature": _BAD_CREDENTIALS,
    "MissingAuthenticationTokenException": _BAD_CREDENTIALS,
    "RequestExpired": _EXPIRED,
    "OptInRequired": _BAD_CREDENTIALS,
}

# Where the code is none of these, as when something on the way answered instead of KMS.
_STATUSES: Mapping[int, Problem] = {401: _DENIED, 403: _DENIED, 407: _DENIED, 429: _throttles}

_UNUSABLE_STATES: Mapping[str, str] = {
    "Creating": "the KMS key is still being made.",
    "Disabled": "the KMS key is disabled.",
    "PendingDeletion": "the KMS key waits for its deletion.",
    "PendingReplicaDeletion": "the KMS key waits for its deletion.",
    "PendingImport": "the KMS key has no key material.",
    "Unavailable": "the key store of the KMS key is not connected.",
}


def problem_of(response: Mapping[str, Any]) -> Problem:
    """The problem that an error response means, by its code or else by its HTTP status."""
    code, status = _code_and_status(response)
    unknown = _FAILING if status >= 500 else _UNHEARD_OF  # noqa: PLR2004  # HTTP's server errors
    return _CODES.get(code) or _STATUSES.get(status) or unknown


def credentials_problem_of(response: Mapping[str, Any]) -> Problem:
    """The same for an error response of STS or SSO, on the way to credentials."""
    code, status = _code_and_status(response)
    known = _CODES.get(code)
    if known is _EXPIRED or known is _BAD_CREDENTIALS:
        return known
    throttled = known is _throttles or status == 429  # noqa: PLR2004  # HTTP's own
    fails = throttled or status >= 500 or not status  # noqa: PLR2004  # HTTP's server errors
    return _ROLE_FAILED if fails else _ROLE_REFUSED


def why_unusable(state: str) -> str:
    """The fault of a key in this state; empty for one that wraps and unwraps."""
    if state in ("Enabled", "Updating"):
        return ""
    return _UNUSABLE_STATES.get(state, "the KMS key is in a state in which it cannot be used.")


def _code_and_status(response: Mapping[str, Any]) -> tuple[str, int]:
    code = str(response.get("Error", {}).get("Code"))
    return code, response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
