"""What AWS KMS's answers mean, in our words: error codes, HTTP statuses and states of keys.

Names no SDK: a code is a string on the wire. The codes of KMS are those of its API Reference, the
common errors and the errors of each operation; those of STS come up on the way to credentials.
"""

from collections.abc import Callable, Mapping

from backends.errors import (
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

_FAILING = outage("KMS has an internal problem.")
_UNHEARD_OF = outage("KMS refuses for a reason that this version does not know.")
_DENIED = problem(
    KeyAccessDenied, "KMS refuses: these credentials know no such key, or may not use it."
)
_BAD_CREDENTIALS = problem(KeyAccessDenied, "AWS does not accept the credentials.")
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
    "ExpiredTokenException": _BAD_CREDENTIALS,
    "ExpiredToken": _BAD_CREDENTIALS,
    "UnrecognizedClientException": _BAD_CREDENTIALS,
    "InvalidClientTokenId": _BAD_CREDENTIALS,
    "InvalidSignatureException": _BAD_CREDENTIALS,
    "SignatureDoesNotMatch": _BAD_CREDENTIALS,
    "IncompleteSignature": _BAD_CREDENTIALS,
    "MissingAuthenticationTokenException": _BAD_CREDENTIALS,
    "RequestExpired": _BAD_CREDENTIALS,
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


def problem_of(code: str, status: int) -> Problem:
    """What an error answer means, by its code or else by its HTTP status."""
    unknown = _FAILING if status >= 500 else _UNHEARD_OF  # noqa: PLR2004  # HTTP's server errors
    return _CODES.get(code) or _STATUSES.get(status) or unknown


def why_unusable(state: str) -> str:
    """What is wrong with a key in this state; empty for one that wraps and unwraps."""
    if state in ("Enabled", "Updating"):
        return ""
    return _UNUSABLE_STATES.get(state, "the KMS key is in a state in which it cannot be used.")
