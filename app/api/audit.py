"""``/v1/audit-events``: the audit trail of the account."""

from typing import Any

from flask import Blueprint

from app.api.http.context import context
from app.api.http.endpoint import Description, with_api_key
from app.api.http.request_body import read_query
from app.api.schemas.audit import AuditEventListQuery, AuditEventListView
from app.domain.access.scopes import Scope
from app.domain.audit.events import AuditEvent
from app.domain.damage import DamagedRow

audit_events = Blueprint("audit_events", __name__)

_LIST = AuditEventListQuery()


@audit_events.get("/v1/audit-events")
@with_api_key(
    Scope.AUDIT_READ,
    Description(
        id="listAuditEvents",
        tag="audit trail",
        responses={200: (AuditEventListView, "One page of records.")},
    ),
    query=_LIST,
)
def list_audit_events() -> dict[str, Any]:
    """List the account's records of changes and uses, newest first."""
    query = read_query(_LIST)
    page = context.services.audit.events.page(
        context.caller.account_id, query.wanted, query.limit, query.starting_after
    )
    return {
        "audit_events": [_view(each) for each in page.events],
        "has_more": page.has_more,
        "last_id": page.last_id,
    }


def _view(event: AuditEvent | DamagedRow) -> dict[str, Any]:
    if isinstance(event, DamagedRow):
        return {**_DAMAGED, "id": event.id or ""}
    return {
        "id": event.id,
        "create_time_ms": event.at_ms,
        "action": event.action,
        "outcome": event.outcome,
        "actor": event.actor,
        "issuers": list(event.issuers),
        "subjects": list(event.subjects),
        "details": event.details,
        "address": event.address,
        "request_id": event.request_id,
    }


_DAMAGED: dict[str, Any] = {
    "create_time_ms": 0,
    **dict.fromkeys(("action", "outcome", "actor"), ""),
    **dict.fromkeys(("issuers", "subjects"), ()),
    **dict.fromkeys(("details", "address", "request_id")),
}
"""The fields of a row that is not what was recorded, of which only the id is shown."""
