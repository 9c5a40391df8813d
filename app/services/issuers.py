"""The keys above an API key: it lives only while each of them does.

Revoking a key is one row. All below it are dead from the next request on, since each request looks
at the rows of all issuers. A key that is minted too late for the revocation is born dead.
"""

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.api_keys import ApiKey
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.repository.base import Repository
from app.services.rows.damage_log import log_damage


def live_issuers(
    repository: Repository, opened: OpenedSystemKey, key: ApiKey, now_ms: int
) -> tuple[Guarded[ApiKey], ...] | None:
    """The rows of all keys above a verified one, root first.

    Returns:
        ``None`` unless each of them exists, is what the server wrote, and is neither revoked nor
        expired. For a key of the operator nothing is read.
    """
    if not key.issuers:
        return ()
    try:
        rows = repository.api_keys.find(key.account_id, key.issuers)
        found = {opened.verify_often(row).id: row for row in rows}
    except TamperedRow as error:
        log_damage(error)
        return None
    line = tuple(found[issuer] for issuer in key.issuers if issuer in found)
    is_whole = len(line) == len(key.issuers)
    return line if is_whole and _is_live(key, line, now_ms) else None


def _is_live(key: ApiKey, line: tuple[Guarded[ApiKey], ...], now_ms: int) -> bool:
    issuers = [row.unverified for row in line]
    return all(
        issuer.account_id == key.account_id
        and issuer.issuers == key.issuers[:place]
        and issuer.is_live(now_ms)
        for place, issuer in enumerate(issuers)
    )
