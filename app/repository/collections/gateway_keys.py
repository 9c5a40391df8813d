"""The collections that the deployment has for its gateways: their keys, and the switch."""

from typing import Protocol

from app.domain.gateways.keys import GatewayKey
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position


class GatewayKeyRepository(Protocol):
    """Gateway keys, which belong to no account."""

    def get(self, key_id: str) -> Guarded[GatewayKey] | None:
        """Return the key, or ``None``; in a unit of work its row is locked."""

    def sweep(self, after: Position | None, limit: int) -> Batch[GatewayKey]:
        """Read up to ``limit`` keys, oldest first."""

    def add(self, key: Guarded[GatewayKey]) -> None:
        """Add a new key."""

    def replace(self, key: Guarded[GatewayKey]) -> None:
        """Write all columns of a key that exists."""


class SwitchRepository(Protocol):
    """Switches, by which an operator turns things off for the whole deployment."""

    def off_since(self, name: str) -> int | None:
        """Return when it was turned off, in Unix milliseconds; ``None`` if it is on."""

    def turn_off(self, name: str, since_ms: int) -> bool:
        """Turn it off. Returns False if it was off."""

    def turn_on(self, name: str) -> bool:
        """Turn it on. Returns False if it was on."""
