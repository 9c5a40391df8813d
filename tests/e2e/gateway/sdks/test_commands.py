"""Commands do the same, without an SDK."""

from collections.abc import Callable

import pytest

from tests.e2e.gateway.sdks.agent import Agent, answer_with, assert_authorized, request_lines
from tests.support.gateway.recorder import Recorder
from tests.support.programs import require

pytestmark = pytest.mark.slow

AgentOf = Callable[..., Agent]


def test_curl_lists_models(agent_of: AgentOf, upstream: Recorder) -> None:
    require("curl")
    upstream.answer = answer_with({"object": "list", "data": []})
    printed = agent_of("openai", "OPENAI").run_shell("curl")
    assert printed == '{"object": "list", "data": []}'
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["GET /v1/models HTTP/1.1"]
