"""Declarations of views: credential, scope, query, body and responses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, TypeVar, cast

from marshmallow import Schema

from app.api.schemas.base import Input
from app.domain.access.scopes import Scope

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "endpoint"


class Credential(Enum):
    """The kind of bearer token that a request must carry."""

    NONE = auto()
    API_KEY = auto()
    INJECTION_TOKEN = auto()
    GATEWAY_KEY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The description of an endpoint in the OpenAPI document.

    Attributes:
        id: The ``operationId``.
        responses: The schema and the description of each response that is no error, by status.
    """

    id: str
    tag: str
    responses: Mapping[int, tuple[type[Schema], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The declaration of one view, for admission and for the OpenAPI document.

    Attributes:
        summary: The first line of the view's docstring.
        scope: The scope that the API key needs; ``None`` for no particular one.
        refuses_query: A request with a query is an error.
        query: The schema of the query; ``None`` for no query.
        body: The schema of the body; ``None`` if no body is read.
        description: ``None`` keeps the endpoint out of the document.
    """

    credential: Credential
    summary: str = ""
    scope: Scope | None = None
    refuses_query: bool = False
    query: Schema | None = None
    body: Input[Any] | None = None
    description: Description | None = None


def with_api_key(
    scope: Scope,
    description: Description,
    *,
    query: Schema | None = None,
    body: Input[Any] | None = None,
) -> Callable[[View], View]:
    """Declare a view that needs an API key with ``scope``."""
    return _declare(
        Endpoint(
            credential=Credential.API_KEY,
            scope=scope,
            refuses_query=query is None,
            query=query,
            body=body,
            description=description,
        )
    )


def with_injection_token(description: Description, *, body: Input[Any]) -> Callable[[View], View]:
    """Declare a view that needs the token of an injection."""
    return _declare(
        Endpoint(
            credential=Credential.INJECTION_TOKEN,
            refuses_query=True,
            body=body,
            description=description,
        )
    )


def with_gateway_key(*, body: Input[Any]) -> Callable[[View], View]:
    """Declare a view for gateways: it is served on the admission socket only, not documented."""
    return _declare(Endpoint(credential=Credential.GATEWAY_KEY, refuses_query=True, body=body))


def open_to_all(description: Description | None = None) -> Callable[[View], View]:
    """Declare a view that needs no credential; without a description it is not documented."""
    return _declare(Endpoint(credential=Credential.NONE, description=description))


def _declare(endpoint: Endpoint) -> Callable[[View], View]:
    def declare(view: View) -> View:
        summary = (view.__doc__ or "").partition("\n")[0]
        vars(view)[_ATTRIBUTE] = replace(endpoint, summary=summary)
        return view

    return declare


def endpoints_of(views: Mapping[str, Callable[..., Any]]) -> dict[str, Endpoint]:
    """Collect the declarations of all views, by Flask's names of the endpoints.

    Raises:
        KeyError: A view declares nothing.
    """
    return {name: cast("Endpoint", vars(view)[_ATTRIBUTE]) for name, view in views.items()}
