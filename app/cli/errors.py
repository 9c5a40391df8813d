"""The one table of failures: the exit code of each exception that ends a command."""

from app.client.messages import internal_error, say
from app.domain.errors import (
    BackupDamaged,
    DomainError,
    Moved,
    NotInitialised,
    RecoveryRefused,
    RowsDamaged,
    RowsDiffer,
    StorageUnavailable,
    TamperedRow,
    nearest,
)
from app.domain.operations.system_errors import DISK, name_of
from app.repository.base import DatabaseMisconfigured
from app.services.errors import SystemKeyUnreadable
from backends.errors import DecryptionError, KeyProviderConfigError, KeyProviderError
from config import SettingsError

REFUSED, MISCONFIGURED, UNAVAILABLE, DAMAGED, INCOMPLETE, INTERNAL = 1, 3, 4, 5, 6, 70
INTERRUPTED = 130

# The text of each of these holds no value. An exception has the code of its nearest class.
EXIT_CODES: dict[type[Exception], int] = {
    SettingsError: MISCONFIGURED,
    KeyProviderConfigError: MISCONFIGURED,
    DatabaseMisconfigured: MISCONFIGURED,
    NotInitialised: MISCONFIGURED,
    StorageUnavailable: UNAVAILABLE,
    KeyProviderError: UNAVAILABLE,
    DecryptionError: DAMAGED,
    SystemKeyUnreadable: DAMAGED,
    TamperedRow: DAMAGED,
    RecoveryRefused: DAMAGED,
    BackupDamaged: DAMAGED,
    Moved: MISCONFIGURED,
    RowsDamaged: DAMAGED,
    RowsDiffer: DAMAGED,
    DomainError: REFUSED,
}


def report(error: Exception) -> int:
    """Print the error without a traceback, which would show values. Returns the exit code."""
    if isinstance(error, OSError) and error.errno in DISK:
        say(f"a file cannot be written: the disk is full or fails ({name_of(error)})")
        return UNAVAILABLE
    code = nearest(EXIT_CODES, error) or INTERNAL
    if code == INTERNAL:
        say(internal_error(error))
    else:
        say(error.operator_message if isinstance(error, DomainError) else str(error))
    return code
