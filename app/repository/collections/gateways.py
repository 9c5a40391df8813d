"""The collections of gateway configs, gateway tokens and gateway uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.gateways.configs import ConfigFilter, GatewayConfig
from app.domain.gateways.tokens import GatewayToken, TokenFilter
from app.domain.gateways.uses import GatewayUse
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position


@dataclass(frozen=True, slots=True)
class GatewayGrant:
    """All rows that one request through the gateway is granted by, but the secret.

    Attributes:
        config: ``None`` if the account has none of the id that the token names: it was deleted, or
            belongs to the system.
        issuers: All keys above the one that minted the token.
    """

    token: Guarded[GatewayToken]
    api_key: Guarded[ApiKey]
    account: Guarded[Account]
    config: Guarded[GatewayConfig] | None
    issuers: tuple[Guarded[ApiKey], ...] = ()


class GatewayConfigRepository(Protocol):
    """Gateway configs of accounts."""

    def get(self, account_id: str, config_id: str) -> Guarded[GatewayConfig] | None:
        """Return the config, or ``None``; in a unit of work its row is locked."""

    def named(self, account_id: str, name: str) -> Guarded[GatewayConfig] | None:
        """Return the config of exactly this name, or ``None``; in a unit of work it is locked."""

    def page(
        self, account_id: str, wanted: ConfigFilter, after: Position | None, limit: int
    ) -> Batch[GatewayConfig]:
        """Read up to ``limit`` configs of the account, newest first."""

    def count(self, account_id: str, wanted: ConfigFilter) -> int:
        """Count the configs that the filter matches."""

    def sweep(self, after: Position | None, limit: int) -> Batch[GatewayConfig]:
        """Read up to ``limit`` configs of all accounts: an operator's sweep."""

    def add(self, config: Guarded[GatewayConfig]) -> None:
        """Add a new config.

        Raises:
            Conflict: The account has a config of this name.
        """

    def replace(self, config: Guarded[GatewayConfig]) -> None:
        """Write all columns of a config that exists.

        Raises:
            Conflict: The account has another config of this name. The unit of work has failed.
        """

    def delete(self, account_id: str, config_id: str) -> None:
        """Delete a config, if there is one."""


class GatewayTokenRepository(Protocol):
    """Gateway tokens."""

    def get(self, account_id: str, token_id: str) -> Guarded[GatewayToken] | None:
        """Return the token's row, or ``None``; in a unit of work it is locked."""

    def get_grant(self, account_id: str, token_id: str) -> GatewayGrant | None:
        """Return the token's row with its key, account and config, in one round trip, or ``None``.

        The issuers of the key are not read.
        """

    def page(
        self, account_id: str, wanted: TokenFilter, after: Position | None, limit: int
    ) -> Batch[GatewayToken]:
        """Read up to ``limit`` tokens of the account, newest first."""

    def count_live(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        """Count the live, unexpired tokens of these keys, without verifying any."""

    def sweep(self, after: Position | None, limit: int) -> Batch[GatewayToken]:
        """Read up to ``limit`` tokens of all accounts: an operator's sweep."""

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        """Return True if a token of the account had expired at ``until_ms``."""

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete up to ``limit`` tokens of the account that had expired at ``until_ms``.

        Returns:
            The number deleted. Rows that another unit of work has locked are skipped.
        """

    def add(self, token: Guarded[GatewayToken]) -> None:
        """Add a new token."""

    def replace(self, token: Guarded[GatewayToken]) -> None:
        """Write what changes of a token that exists: state, count, first address, MAC."""


class GatewayUseRepository(Protocol):
    """Requests that the gateway was admitted to carry."""

    def get(self, account_id: str, use_id: str) -> Guarded[GatewayUse] | None:
        """Return the use, or ``None``; in a unit of work its row is locked."""

    def page(
        self, account_id: str, token_id: str | None, after: Position | None, limit: int
    ) -> Batch[GatewayUse]:
        """Read up to ``limit`` uses of the account, or of one token, newest first."""

    def sweep(self, after: Position | None, limit: int) -> Batch[GatewayUse]:
        """Read up to ``limit`` uses of all accounts: an operator's sweep."""

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        """Return True if a use of the account had begun at ``until_ms``."""

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete up to ``limit`` uses that had begun at ``until_ms``.

        Returns:
            The number deleted. Rows that another unit of work has locked are skipped.
        """

    def add(self, use: Guarded[GatewayUse]) -> None:
        """Add a new use."""

    def replace(self, use: Guarded[GatewayUse]) -> None:
        """Write the end of a use that exists."""
