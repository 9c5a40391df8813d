"""Reasons why a sweep left a data key as it was: codes to count, with no vendor's words."""

from collections import Counter
from enum import StrEnum

from app.domain.errors import StorageUnavailable, TamperedRow, nearest
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)


class FailureReason(StrEnum):
    """One reason; ``docs/command.md`` says what helps."""

    KEY_UNAVAILABLE = "key_unavailable"
    KEY_ACCESS_DENIED = "key_access_denied"
    KEY_DISABLED = "key_disabled"
    KEY_UNKNOWN = "key_unknown"
    KEY_MISCONFIGURED = "key_misconfigured"
    KEY_FAILED = "key_failed"
    KEY_UNREADABLE = "key_unreadable"
    VALUE_UNREADABLE = "value_unreadable"
    ROW_EDITED = "row_edited"
    STILL_IN_USE = "still_in_use"
    STORAGE_UNAVAILABLE = "storage_unavailable"


Foreseen = KeyProviderError | TamperedRow | StorageUnavailable

_REASONS: dict[type[Exception], FailureReason] = {
    KeyUnavailable: FailureReason.KEY_UNAVAILABLE,
    KeyAccessDenied: FailureReason.KEY_ACCESS_DENIED,
    KeyDisabled: FailureReason.KEY_DISABLED,
    UnknownKey: FailureReason.KEY_UNKNOWN,
    KeyProviderConfigError: FailureReason.KEY_MISCONFIGURED,
    DecryptionError: FailureReason.KEY_UNREADABLE,
    KeyProviderError: FailureReason.KEY_FAILED,
    TamperedRow: FailureReason.ROW_EDITED,
    StorageUnavailable: FailureReason.STORAGE_UNAVAILABLE,
}


def failure_reason_of(error: Foreseen) -> FailureReason:
    """Return the reason that an error stands for: that of its nearest class."""
    reason = nearest(_REASONS, error)
    assert reason is not None  # noqa: S101 - every foreseen error is in the table
    return reason


def counted(reason: FailureReason | None) -> Counter[FailureReason]:
    """Count the reason of one data key, if there is one."""
    return Counter() if reason is None else Counter([reason])
