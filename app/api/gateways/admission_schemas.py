"""Schemas of admissions, between a gateway and the API."""

from typing import Any

from marshmallow import fields, post_load, validate

from app.api.http.client_address import canonical_address
from app.api.schemas.base import Closed, Input, ListOf, text, whole
from app.domain.gateways.admissions import MAX_USES, AdmissionRequest, UseEnd
from app.domain.gateways.targets import MAX_QUERY_NAMES, MAX_TARGET_BYTES
from app.domain.redaction import Redacted

_LONGEST_TOKEN = 256
_LONGEST_ID = 64
_LONGEST_ADDRESS = 45
_LONGEST_HANDLE = 128
_MAX_COUNT = 2**53 - 1
_MAX_STATUS = 999


def _at_most(length: int) -> validate.Length:
    return validate.Length(max=length, error=f"must have at most {length} characters")


def _up_to(largest: int) -> validate.Range:
    return validate.Range(min=0, max=largest, error=f"must be 0 to {largest}")


class AdmissionParameters(Input[AdmissionRequest]):
    """One request of an agent."""

    token = text("The token.", required=True, validate=_at_most(_LONGEST_TOKEN))
    config = fields.String(required=True, allow_none=True, validate=_at_most(_LONGEST_ID))
    method = text(
        "The method.",
        required=True,
        validate=validate.Regexp("[A-Z]{1,16}\\Z", error="must be a method in capital letters"),
    )
    path = text("The canonical path.", required=True, validate=_at_most(MAX_TARGET_BYTES))
    query = fields.List(
        fields.String(validate=_at_most(MAX_TARGET_BYTES)),
        required=True,
        validate=validate.Length(max=MAX_QUERY_NAMES),
    )
    address = fields.String(required=True, allow_none=True, validate=_at_most(_LONGEST_ADDRESS))
    upgrade = fields.Boolean(required=True, truthy={True}, falsy={False})

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> AdmissionRequest:
        return AdmissionRequest(
            token=Redacted(data["token"]),
            config_id=data["config"],
            method=data["method"],
            path=data["path"],
            query_names=tuple(data["query"]),
            address=canonical_address(data["address"]),
            is_upgrade=data["upgrade"],
        )


class RecheckParameters(Input[list[str]]):
    """The handles of running requests."""

    uses = fields.List(
        fields.String(validate=_at_most(_LONGEST_HANDLE)),
        required=True,
        validate=validate.Length(max=MAX_USES),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> list[str]:
        uses: list[str] = data["uses"]
        return uses


class _EndParameters(Closed):
    """The end of one request."""

    use = text("The handle.", required=True, validate=_at_most(_LONGEST_HANDLE))
    status = whole("The upstream's, or 0.", required=True, validate=_up_to(_MAX_STATUS))
    bytes_in = whole("Of the request.", required=True, validate=_up_to(_MAX_COUNT))
    bytes_out = whole("Of the answer.", required=True, validate=_up_to(_MAX_COUNT))
    milliseconds = whole("Its time.", required=True, validate=_up_to(_MAX_COUNT))
    scrub_hits = whole("Of the answer.", required=True, validate=_up_to(_MAX_COUNT))

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> UseEnd:
        return UseEnd(**data)


class EndParameters(Input[list[UseEnd]]):
    """The ends of requests."""

    ends = ListOf(_EndParameters, "The ends.", validate=validate.Length(max=MAX_USES))

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> list[UseEnd]:
        ends: list[UseEnd] = data["ends"]
        return ends
