"""Requests generated from our own document, valid and not, are answered as the document says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from tests.support.api_deployment import ApiDeployment, Client

# A few each, so that a mistake shows here; the run against the real server takes many.
FEW = settings(max_examples=10, deadline=None, database=None, derandomize=True)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def operations(deployment: ApiDeployment) -> list[Any]:
    document = schemathesis.openapi.from_wsgi("/openapi.json", deployment.app)
    found = [each.ok() for each in document.get_all_operations() if isinstance(each, Ok)]
    return [each for each in found if each.body or list(each.iter_parameters())]


@pytest.mark.parametrize("mode", GenerationMode)
def test_generated_requests_are_answered_as_documented(
    operations: list[Any], mode: GenerationMode, client: Client
) -> None:
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS, headers=client.headers)

        send()
