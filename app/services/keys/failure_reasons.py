"""Why a sweep could not do a data key: codes to count, with no word of what a vendor said."""

from collections import Counter
from enum import StrEnum

from app.domain.errors import StorageUnavailable, TamperedRow
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)


class Cause(StrEnum):
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

_CAUSES: dict[type[Exception], Cause] = {
    KeyUnavailable: Cause.KEY_UNAVAILABLE,
    KeyAccessDenied: Cause.KEY_ACCESS_DENIED,
    KeyDisabled: Cause.KEY_DISABLED,
    UnknownKey: Cause.KEY_UNKNOWN,
    KeyProviderConfigError: Cause.KEY_MISCONFIGURED,
    DecryptionError: Cause.KEY_UNREADABLE,
    KeyProviderError: Cause.KEY_FAILED,
    TamperedRow: Cause.ROW_EDITED,
    StorageUnavailable: Cause.STORAGE_UNAVAILABLE,
}


def cause_of(error: Foreseen) -> Cause:
    """The cause that an error stands for: that of the class that it is nearest to."""
    return next(_CAUSES[kind] for kind in type(error).__mro__ if kind in _CAUSES)


def counted(cause: Cause | None) -> Counter[Cause]:
    """The count of one data key: none where nothing is wrong."""
    return Counter() if cause is None else Counter([cause])
