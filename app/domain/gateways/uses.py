"""Gateway uses: one row for each request that the gateway may carry, written before it does."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.columns import StoredRow
from app.domain.damage import DamagedRow


@dataclass(frozen=True, slots=True)
class GatewayUse(StoredRow):
    """One admitted request; times are Unix milliseconds.

    The columns after ``created_at_ms`` stand empty until the gateway reports the end.

    Attributes:
        path: The canonical path, without the query.
        address: The address of the client, if it is known.
        status: The upstream's; 0 if it gave none.
        scrub_hits: How often the secret stood in the answer.
    """

    table: ClassVar[str] = "gateway_uses"

    account_id: str
    id: str
    token_id: str
    config_id: str
    secret_id: str
    method: str
    path: str
    address: str | None
    created_at_ms: int
    status: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    milliseconds: int | None = None
    scrub_hits: int | None = None


@dataclass(frozen=True, slots=True)
class UsePage:
    """One page of a list, newest first."""

    uses: list[GatewayUse | DamagedRow]
    has_more: bool
