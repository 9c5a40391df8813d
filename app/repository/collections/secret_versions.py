"""The collection of old values of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.domain.guarded import Guarded
from app.domain.secret_versions import ArchivedVersion, SecretVersion
from app.domain.secrets import SecretIdentity, SecretRef
from app.repository.collections.batches import Position


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """An old version, and the columns of its secret that its value is bound to."""

    identity: Guarded[SecretIdentity]
    archived: ArchivedVersion


class NamedVersion(NamedTuple):
    """An old version, and the name of its secret."""

    name: str
    archived: ArchivedVersion


@dataclass(frozen=True, slots=True)
class Surplus:
    """A part of an account's secrets, looked at for versions that are too many.

    Attributes:
        below: Pairs of a secret's id and the version below which its old ones are too many.
        after: The id before the next part; ``None`` if no secret follows.
    """

    below: Sequence[tuple[str, int]]
    after: str | None


class SecretVersionRepository(Protocol):
    """Old values of secrets. Deleting a secret deletes them."""

    def add(self, version: ArchivedVersion) -> bool:
        """Archive a version of a secret that is locked.

        Returns:
            False if its data key does not exist, or a version of this number does.
        """

    def history(self, account_id: str, ref: SecretRef, limit: int) -> list[SecretVersion] | None:
        """Return up to ``limit`` versions, the current one first; ``None`` if there is no secret.

        No envelope is read.
        """

    def find(self, account_id: str, ref: SecretRef, version: int) -> FoundVersion | None:
        """Return an old version with its sealed value, or ``None``."""

    def get(self, account_id: str, secret_id: str, version: int) -> ArchivedVersion | None:
        """Return an old version with its sealed value, or ``None``."""

    def delete(self, account_id: str, secret_id: str, version: int) -> bool:
        """Delete an old version. Returns False if there was none."""

    def delete_below(self, account_id: str, secret_id: str, version: int) -> int:
        """Delete the old versions below one. Returns the number deleted."""

    def has_older(self, account_id: str, until_ms: int) -> bool:
        """Return True if a version of the account was replaced at ``until_ms`` or before."""

    def delete_older(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete up to ``limit`` of these. Returns the number deleted."""

    def surplus(self, account_id: str, count: int, after_id: str | None, limit: int) -> Surplus:
        """Look at up to ``limit`` secrets for old versions beyond the last ``count``."""

    def count_under(self, until_ms: int) -> int:
        """Count the versions sealed under data keys that were made at ``until_ms`` or before.

        An operator's sweep; no row is verified.
        """

    def sealed_under(
        self, account_id: str, data_key_id: str, limit: int, after: Position | None
    ) -> list[NamedVersion]:
        """Read up to ``limit`` versions sealed under this data key, by secret id and version."""

    def reseal(self, version: ArchivedVersion, *, before: ArchivedVersion) -> bool:
        """Write data key and archived envelope if both are as before. Returns if so."""
