"""The trail as a test reads it: records that were verified, oldest first."""

import json
from collections.abc import Iterator
from typing import Any

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.repository.base import Database
from app.services.container import Services

_ALL = 1000


def database_of(services: Services) -> Database:
    return services.api_keys._database


def records(services: Services, account_id: str = SYSTEM_ACCOUNT_ID) -> list[AuditEvent]:
    """Every record of an account, each of which the server wrote."""
    opened = services.api_keys._system_key.opened()
    with database_of(services).reading() as repository:
        batch = repository.audit_events.page(account_id, EventFilter(), None, _ALL)
    assert batch.after is None
    found = [opened.verify_stored(each, account_id) for each in batch.rows]
    events = [each for each in found if isinstance(each, AuditEvent)]
    assert len(events) == len(found)
    return events[::-1]


def new_records(
    services: Services, before: list[AuditEvent], account_id: str = SYSTEM_ACCOUNT_ID
) -> list[AuditEvent]:
    """The records that came since."""
    known = {each.id for each in before}
    return [each for each in records(services, account_id) if each.id not in known]


def actions(events: list[AuditEvent]) -> list[str]:
    return [each.action for each in events]


def details(event: AuditEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.details or "{}")
    return found


def gaps(services: Services) -> Iterator[str]:
    """Yield each lane, of any account, whose records are not those from 1 to its count."""
    with database_of(services).reading() as repository:
        for account_id, lane, n in repository.audit_events.all_counts(None, _ALL):
            found = repository.audit_events.between(account_id, lane, 0, 10**9, 10**6)
            places = [getattr(each, "unverified").n for each in found]  # noqa: B009 - not damaged
            if places != list(range(1, n + 1)):
                yield f"{account_id}/{lane}: {n}, but {places}"
