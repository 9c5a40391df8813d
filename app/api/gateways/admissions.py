"""``/internal/v1/admissions``: gateways ask for admissions, over the admission socket only."""

from typing import Any

from flask import Blueprint

from app.api.gateways.admission_schemas import (
    AdmissionParameters,
    EndParameters,
    RecheckParameters,
)
from app.api.http.context import context
from app.api.http.endpoint import with_gateway_key
from app.api.http.request_body import read_body
from app.domain.gateways.admissions import Admitted

admissions = Blueprint("admissions", __name__)

_ADMIT = AdmissionParameters()
_RECHECK = RecheckParameters()
_END = EndParameters()
_ADMIT_BYTES = 128 * 1024


@admissions.post("/internal/v1/admissions")
@with_gateway_key(body=_ADMIT)
def admit() -> dict[str, Any]:
    """Admit one request, and hand out the credential for it."""
    body = read_body(_ADMIT, limit=_ADMIT_BYTES)
    return _shown(context.services.admissions.admit(body.data, context.request_id))


@admissions.post("/internal/v1/admissions/recheck")
@with_gateway_key(body=_RECHECK)
def recheck() -> dict[str, Any]:
    """Name the running requests that must end now."""
    body = read_body(_RECHECK)
    ended = context.services.gateway_uses.recheck(body.data)
    return {"ended": [{"use": use, "code": code} for use, code in ended]}


@admissions.post("/internal/v1/admissions/ends")
@with_gateway_key(body=_END)
def end() -> dict[str, Any]:
    """Complete the uses of requests that ended."""
    body = read_body(_END)
    context.services.gateway_uses.end(body.data)
    return {}


def _shown(admitted: Admitted) -> dict[str, Any]:
    origin = admitted.origin
    return {
        "use": admitted.use,
        "config": admitted.config_id,
        "token": admitted.token_id,
        "origin": {
            "scheme": origin.scheme,
            "host": origin.host,
            "port": origin.port,
            "base": origin.base,
        },
        "set": [[name, value.reveal()] for name, value in admitted.headers],
        "drop_query": [],
        "needles": [needle.reveal() for needle in admitted.needles],
        "scrub": admitted.scrub,
        "in_flight": admitted.in_flight,
        "strict": admitted.is_strict,
        "private": admitted.is_private,
        "own": [[each.host and str(each.host), each.port] for each in admitted.own],
    }
