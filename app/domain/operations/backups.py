"""Backups: what is in one, and what putting one back brought."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from app.domain.access.api_keys import ApiKey
from app.domain.damage import DamagedRow
from app.domain.gateways.keys import GatewayKey
from app.domain.operations.findings import Findings


@dataclass(frozen=True, slots=True)
class NeededRootKey:
    """A root key that opens data keys of a backup.

    Attributes:
        data_keys: The number of data keys that it opens.
    """

    key_ref: str
    data_keys: int


@dataclass(frozen=True, slots=True)
class BackupContents:
    """The content of a backup.

    Attributes:
        root_keys: Each data key needs one of those that open it.
    """

    secrets: int
    data_keys: int
    root_keys: tuple[NeededRootKey, ...]


class OpenTokens(NamedTuple):
    """Tokens that may have been used or revoked since a backup was made.

    Attributes:
        injections: The number of pending injections.
        gateway_tokens: The number of live gateway tokens.
    """

    injections: int = 0
    gateway_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The state of a backup that was put back.

    Attributes:
        is_verified: Whether the system data key was opened, and every MAC verified by it.
        damaged: Rows whose MAC is wrong; they grant nothing.
        ended: The tokens that were revoked, or deleted where no key was there to revoke them with.
        live_again: API keys, then gateway keys, that are live now and were not before.
        is_compared: Whether there was another database to compare with; if not, ``live_again`` has
            every live key.
    """

    is_verified: bool
    damaged: tuple[DamagedRow, ...]
    ended: OpenTokens
    live_again: tuple[ApiKey | GatewayKey, ...]
    is_compared: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """The state of a database that other tools put back.

    Attributes:
        findings: The check of the database itself; a fault ends the verification.
        is_verified: Whether the system data key was opened, and every MAC verified by it.
        damaged: Rows whose MAC is wrong; they grant nothing.
        open_tokens: The tokens that can be redeemed or used.
    """

    findings: Findings
    contents: BackupContents
    is_verified: bool
    damaged: tuple[DamagedRow, ...]
    open_tokens: OpenTokens


@dataclass(frozen=True, slots=True)
class Restored:
    """A finished restore.

    Attributes:
        set_aside: The former database, ``None`` where there was none.
    """

    taken_over: TakenOver
    contents: BackupContents
    set_aside: Path | None
