"""Old values of secrets: a value that is replaced is archived under its version number.

The current value stays in the row of the secret. An archived one is the sealed value, sealed once
more under the system data key with a context of its own. So a row that somebody copies over the
current one does not open.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from app.domain.errors import DomainError

LARGEST_VERSION = 2**63 - 2
"""The largest version of a row that can be replaced."""


@dataclass(frozen=True, slots=True)
class ArchivedVersion:
    """One old value of a secret, as it is stored.

    Attributes:
        data_key_id: The data key that sealed the value.
        created_at_ms: When the value was set, in Unix milliseconds.
        replaced_at_ms: When another one replaced it.
        replaced_by: The id of the API key that replaced it.
        archived: The envelope of the value, sealed under the system data key.
    """

    table: ClassVar[str] = "secret_versions"

    account_id: str
    secret_id: str
    version: int
    data_key_id: str
    created_at_ms: int
    replaced_at_ms: int
    replaced_by: str
    archived: bytes


class SecretVersion(NamedTuple):
    """A version of a secret as the API shows it.

    Attributes:
        create_time_ms: When its value was set, in Unix milliseconds.
        created_by: The id of the API key that set it; ``None`` where the version before it, which
            would say so, is not stored.
        is_current: True for the value that is handed out.
    """

    version: int
    create_time_ms: int
    created_by: str | None
    is_current: bool


class Rollback(NamedTuple):
    """A finished rollback.

    Attributes:
        version: The number of the new current version.
        restored_version: The number of the version with the same value.
    """

    id: str
    name: str
    create_time_ms: int
    update_time_ms: int
    version: int
    restored_version: int


class SecretVersionNotFound(DomainError):
    """The secret has no such old version."""

    message = "The secret has no old version of this number."


class VersionIsCurrent(DomainError):
    """The version is the current one: there is nothing to roll back, and it is no old one."""

    message = "This is the current version of the secret."
