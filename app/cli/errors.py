"""The one table of failures: which exception ends the command with which exit code."""

from app.client.messages import internal_error, say
from app.domain.errors import (
    BackupDamaged,
    DomainError,
    NotInitialised,
    RecoveryRefused,
    StorageUnavailable,
    TamperedRow,
)
from app.domain.operations.system_errors import DISK, name_of
from app.repository.base import DatabaseMisconfigured
from app.services.errors import SystemKeyUnreadable
from backends.errors import DecryptionError, KeyProviderConfigError, KeyProviderError
from config import SettingsError

REFUSED, MISCONFIGURED, UNAVAILABLE, DAMAGED, INCOMPLETE, INTERNAL = 1, 3, 4, 5, 6, 70

# The text of each of these holds no value. The class that an exception is nearest to counts.
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
    DomainError: REFUSED,
}


def report(error: Exception) -> int:
    """Say what went wrong, without a traceback, which would show what the command holds.

    Returns:
        The exit code.
    """
    if isinstance(error, OSError) and error.errno in DISK:
        say(f"a file cannot be written, because the disk is full or fails ({name_of(error)})")
        return UNAVAILABLE
    code = next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), INTERNAL)
    say(internal_error(error) if code == INTERNAL else _tell(error))
    return code


def _tell(error: Exception) -> str:
    return error.told if isinstance(error, DomainError) else str(error)
