"""The OpenAPI document, built from the routes and the declarations of their views."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from app.api.http.endpoint import Credential, Description, Endpoint
from app.api.schemas.base import Input
from app.api.schemas.errors import ErrorView

_ALLOW_EMPTY = "allowEmptyValue"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_DOCUMENTED_METHODS = ("GET", "POST")

_BAD_REQUEST = "Something in the request is not valid; nothing was changed."
_NOT_FOUND = "The account has none such."
_WELCOME = """
The Secrets API of a self-hosted Strongroom server.

To try it out, press *Authorize* and enter an API key. `make run` wrote one to `var/client.env`
(`client.env` in `STRONGROOM_HOME`): the text after `RUNLOOP_API_KEY=`. Then press *Try it out* and
*Execute*. The examples can be sent as they are; create the secret first. Where an operation asks
for an id or a token, copy it from an earlier response.
"""
_API_KEY = "bearerAuth"
_INJECTION_TOKEN = "injectionToken"  # noqa: S105 - a name in the document
_TOO_LARGE = "The body is too large."
_CREDENTIALS = {
    _API_KEY: "An API key: the text after RUNLOOP_API_KEY= in client.env.",
    _INJECTION_TOKEN: "The token of an injection, from the response that created it. For /redeem.",
}
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "name": {"description": "The secret's name.", "example": "GREETING"},
    "secret_id": {"description": "The secret's id, from the response that created or listed it."},
    "version": {
        "description": "The number of an old version.",
        "schema": {"type": "integer", "format": "int64"},
        "example": 1,
    },
    "injection_id": {"description": "The injection's id, from an earlier response."},
    "config_id": {"description": "The gateway config's id, from an earlier response."},
    "token_id": {"description": "The gateway token's id, from an earlier response."},
    "devbox_id": {"description": "Your own id of the box.", "example": "dbx_1"},
}
_WITH_CREDENTIAL = {
    400: _BAD_REQUEST,
    401: "The credential is missing or not valid.",
    403: "The credential does not allow this.",
    500: "The server failed.",
    503: "Something that the server depends on does not answer; try again later.",
}


def openapi_document(rules: Iterable[Rule], endpoints: Mapping[str, Endpoint]) -> dict[str, Any]:
    """Build the document of all routes whose views describe themselves.

    Args:
        endpoints: Declarations by Flask's name of the endpoint.
    """
    spec = APISpec(
        title="Strongroom",
        version="0.1",
        openapi_version="3.0.3",
        plugins=[_Marshmallow()],
        info={"description": _WELCOME.strip()},
        security=[{_API_KEY: []}],
    )
    for name, description in _CREDENTIALS.items():
        scheme = {"type": "http", "scheme": "bearer", "description": description}
        spec.components.security_scheme(name, scheme)
    for rule in rules:
        endpoint = endpoints[rule.endpoint]
        if endpoint.description is not None:
            _add(spec, rule, endpoint, endpoint.description)
    document = spec.to_dict()
    document["tags"] = [{"name": tag} for tag in _tags(endpoints.values())]
    return document


def _tags(endpoints: Iterable[Endpoint]) -> list[str]:
    described = (endpoint.description for endpoint in endpoints)
    return list(dict.fromkeys(each.tag for each in described if each is not None))


class _Converter(OpenAPIConverter):
    """apispec's converter, which also passes ``allowEmptyValue`` on."""

    def _field2parameter(
        self, field: fields.Field[Any], *, name: str, location: str
    ) -> dict[str, Any]:
        parameter: dict[str, Any] = super()._field2parameter(field, name=name, location=location)
        if field.metadata.get(_ALLOW_EMPTY):
            parameter[_ALLOW_EMPTY] = True
        return parameter


class _Marshmallow(MarshmallowPlugin):
    Converter = _Converter


def _add(spec: APISpec, rule: Rule, endpoint: Endpoint, description: Description) -> None:
    names = _PARAMETER.findall(rule.rule)
    documented = {
        "operationId": description.id,
        "tags": [description.tag],
        "summary": endpoint.summary,
        "responses": _responses(endpoint, description, with_path=bool(names)),
    }
    if endpoint.credential is Credential.NONE:
        documented["security"] = []
    if endpoint.credential is Credential.INJECTION_TOKEN:
        documented["security"] = [{_INJECTION_TOKEN: []}]
    if endpoint.query is not None:
        documented["parameters"] = [{"in": "query", "schema": endpoint.query}]
    if endpoint.body is not None:
        documented["requestBody"] = {"required": False, "content": _offered(endpoint.body)}
    methods = [method for method in _DOCUMENTED_METHODS if method in (rule.methods or ())]
    spec.path(
        path=_PARAMETER.sub(r"{\1}", rule.rule),
        operations={method.lower(): documented for method in methods},
        parameters=[_path_parameter(name) for name in names],
    )


def _path_parameter(name: str) -> dict[str, Any]:
    parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    return parameter | _PATH_PARAMETERS[name]


def _responses(
    endpoint: Endpoint, description: Description, *, with_path: bool
) -> dict[int, dict[str, Any]]:
    errors = dict(_WITH_CREDENTIAL) if endpoint.credential is not Credential.NONE else {}
    if with_path:
        errors[404] = _NOT_FOUND
    if endpoint.body is not None:
        errors[413] = _TOO_LARGE
    responses = dict(description.responses)
    responses |= {status: (ErrorView, text) for status, text in errors.items()}
    return {
        status: {"description": text, "content": _json(schema)}
        for status, (schema, text) in sorted(responses.items())
    }


def _offered(body: Input[Any]) -> dict[str, Any]:
    """Describe a body with its example, or Swagger UI would offer one that is refused."""
    return {"application/json": {"schema": body, "example": dict(body.example)}}


def _json(schema: Schema | type[Schema]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
