"""What each view declares of itself: its credential, its scope, what it takes and gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar, cast

from marshmallow import Schema

from app.domain.access.scopes import Scope

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "operation"


class Credential(Enum):
    """What a request must carry as its bearer token."""

    NONE = auto()
    API_KEY = auto()
    INJECTION_TOKEN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the OpenAPI document says of an operation.

    Attributes:
        id: The ``operationId``.
        gives: For each status that is no error: the schema of the answer, and when it comes.
    """

    id: str
    tag: str
    summary: str
    gives: Mapping[int, tuple[type[Schema], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API, for admission and for the OpenAPI document.

    Attributes:
        scope: What the API key must be allowed; ``None`` where no API key is taken.
        query: What the query may hold; ``None`` for nothing.
        body: What the body may hold; ``None`` where none is read.
        description: ``None`` keeps the operation out of the document.
    """

    credential: Credential
    scope: Scope | None = None
    query: Schema | None = None
    body: Schema | None = None
    description: Description | None = None


def with_api_key(
    scope: Scope,
    description: Description,
    *,
    query: Schema | None = None,
    body: Schema | None = None,
) -> Callable[[View], View]:
    """Declare a view that needs an API key with ``scope``."""
    return _declare(
        Operation(
            credential=Credential.API_KEY,
            scope=scope,
            query=query,
            body=body,
            description=description,
        )
    )


def with_injection_token(description: Description, *, body: Schema) -> Callable[[View], View]:
    """Declare a view that needs the token of an injection."""
    return _declare(
        Operation(credential=Credential.INJECTION_TOKEN, body=body, description=description)
    )


def open_to_all(description: Description | None = None) -> Callable[[View], View]:
    """Declare a view that needs no credential; without a description it is not documented."""
    return _declare(Operation(credential=Credential.NONE, description=description))


def _declare(operation: Operation) -> Callable[[View], View]:
    def declare(view: View) -> View:
        vars(view)[_ATTRIBUTE] = operation
        return view

    return declare


def operations_of(views: Mapping[str, Callable[..., Any]]) -> dict[str, Operation]:
    """The operation of every endpoint.

    Raises:
        KeyError: A view does not declare what it needs.
    """
    return {endpoint: cast("Operation", vars(view)[_ATTRIBUTE]) for endpoint, view in views.items()}
