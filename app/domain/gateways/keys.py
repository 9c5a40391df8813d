"""Gateway keys: with one of them a gateway process asks the API to admit requests.

They belong to the deployment and to no account. An operator makes them; no API key can. Such a key
permits one thing, ``gateway:admit``: to trade gateway tokens that agents have presented for
decisions. So it has a table of its own and no scopes that a row could hold.
"""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.access.api_keys import Token, TokenFormat
from app.domain.columns import StoredRow
from app.domain.ids import DEPLOYMENT, GATEWAY_KEY

GATEWAY_KEY_TOKENS = TokenFormat((GATEWAY_KEY,), GATEWAY_KEY, DEPLOYMENT)


@dataclass(frozen=True, slots=True)
class GatewayKey(StoredRow):
    """One gateway key of the deployment; times are Unix milliseconds.

    Attributes:
        token_digest: The keyed hash of the token.
    """

    table: ClassVar[str] = "gateway_keys"

    id: str
    name: str
    token_digest: bytes
    created_at_ms: int
    revoked_at_ms: int | None = None

    @property
    def is_live(self) -> bool:
        """True unless it is revoked."""
        return self.revoked_at_ms is None


@dataclass(frozen=True, slots=True)
class IssuedGatewayKey:
    """A new gateway key with its token, which is shown this once."""

    id: str
    name: str
    token: Token
