"""The keys of an account as a tree: which of them are good, and why the others are not."""

from collections.abc import Iterable
from enum import StrEnum

from app.domain.access.api_keys import ApiKey


class KeyState(StrEnum):
    """The state of an API key; only a live one is accepted."""

    LIVE = "live"
    REVOKED = "revoked"
    EXPIRED = "expired"
    ISSUER_ENDED = "issuer_ended"


class KeyLives:
    """The lives of all verified keys of an account.

    Args:
        keys: All of them; a damaged one is left out, and so dead.
        now_ms: When they are looked at.
    """

    def __init__(self, keys: Iterable[ApiKey], now_ms: int) -> None:
        self._keys = {key.id: key for key in keys}
        self._now_ms = now_ms

    def in_order(self) -> list[ApiKey]:
        """Each key before those below it, and the oldest first among equals."""
        return sorted(self._keys.values(), key=lambda key: (*key.issuers, key.id))

    def state(self, key: ApiKey) -> KeyState:
        """The state of a key; its own end comes before that of a key above it."""
        if key.revoked_at_ms is not None:
            return KeyState.REVOKED
        if not key.is_live(self._now_ms):
            return KeyState.EXPIRED
        issuers = map(self._keys.get, key.issuers)
        if all(issuer is not None and issuer.is_live(self._now_ms) for issuer in issuers):
            return KeyState.LIVE
        return KeyState.ISSUER_ENDED

    def live_from(self, key_id: str) -> list[str]:
        """The ids of the live ones among a key and all keys below it."""
        return [
            key.id
            for key in self.in_order()
            if key_id in (*key.issuers, key.id) and self.state(key) is KeyState.LIVE
        ]


class KeyEndings:
    """Finds the keys of an account that ended so long ago that their rows can be deleted.

    A key that ended makes no other, so a key that no row names as an issuer stays so.

    Args:
        until_ms: By when they must have ended.
    """

    def __init__(self, until_ms: int) -> None:
        self._until_ms = until_ms
        self._issuers: dict[str, tuple[str, ...]] = {}
        self._ended: set[str] = set()

    def add(self, keys: Iterable[ApiKey]) -> None:
        """Look at more keys of the account."""
        for key in keys:
            self._issuers[key.id] = key.issuers
            if key.had_ended(self._until_ms):
                self._ended.add(key.id)

    def unneeded(self) -> list[str]:
        """Those that ended, by themselves or with a key above them, and have none below them.

        A key whose issuer cannot be read is not among them: its row may be put right.
        """
        needed = {issuer for issuers in self._issuers.values() for issuer in issuers}
        return [
            key_id
            for key_id, issuers in self._issuers.items()
            if key_id not in needed and not self._ended.isdisjoint((key_id, *issuers))
        ]
