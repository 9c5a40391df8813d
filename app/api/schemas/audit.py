"""Schemas of the audit trail's list."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import fields, post_load

from app.api.schemas.base import Closed, Input, ListOf, TextList, text, truth, whole
from app.api.schemas.queries import Limit, Matching, PageRequest, last_id
from app.domain.audit.actions import Action
from app.domain.audit.filters import EventFilter
from app.domain.ids import API_KEY, AUDIT_EVENT, SECRET, is_id

MAX_IDS = 100_000


class AuditEventView(Closed):
    """One record of the audit trail."""

    id = text("The record's id.", required=True)
    create_time_ms = whole("When it happened, in Unix milliseconds.", required=True)
    action = text("What was done; empty for a damaged row.", required=True)
    outcome = text("How it ended.", required=True)
    actor = text("The API key, the operator's command, or the server.", required=True)
    issuers = TextList("The API keys above that key.", few=MAX_IDS)
    subjects = TextList("What it is about; `sec_…@3` is a third version.", few=MAX_IDS)
    details = text("More, as a JSON text.", allow_none=True)
    address = text("The address of the client.", allow_none=True)
    request_id = text("The request in the server's log.", allow_none=True)


class AuditEventListView(Closed):
    """One page of records, newest first."""

    audit_events = ListOf(AuditEventView, "The records of this page; a filter may leave few.")
    has_more = truth("Whether more records follow this page.")
    last_id = text("Pass it as starting_after for the next page.", allow_none=True)


@dataclass(frozen=True, slots=True)
class EventListRequest(PageRequest):
    """The page of records that a client asks for."""

    wanted: EventFilter = field(default_factory=EventFilter)


class Moment(fields.Integer):
    """Unix milliseconds, in decimal ASCII digits."""

    def __init__(self, description: str) -> None:
        super().__init__(
            error_messages={"invalid": "must be Unix milliseconds"},
            metadata={"description": description, "format": "int64"},
        )

    def _deserialize(self, value: str, *_: object, **__: object) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= _DIGITS):
            raise self.make_error("invalid")
        return int(value)


_DIGITS = 15


class AuditEventListQuery(Input[EventListRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(AUDIT_EVENT, "a record")
    secret_id = Matching(
        lambda given: is_id(given, SECRET),
        "must be the id of a secret",
        "Only those about this secret.",
    )
    api_key_id = Matching(
        lambda given: is_id(given, API_KEY),
        "must be the id of an API key",
        "Only those of this API key, and of keys that were made with it.",
    )
    action = Matching(
        {*Action}.__contains__, "must be an action of the audit trail", "Only those of this action."
    )
    since_ms = Moment("Only those from this time on, in Unix milliseconds.")
    until_ms = Moment("Only those from before this time, in Unix milliseconds.")

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> EventListRequest:
        wanted = EventFilter(
            action=data.pop("action", None),
            actor=data.pop("api_key_id", None),
            subject=data.pop("secret_id", None),
            since_ms=data.pop("since_ms", None),
            until_ms=data.pop("until_ms", None),
        )
        return EventListRequest(wanted=wanted, **data)
