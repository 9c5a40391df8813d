"""Python SDKs send the upstream the one right credential, and read its answer."""

from collections.abc import Callable

import pytest

from tests.e2e.gateway.sdks.agent import (
    CREDENTIAL,
    Agent,
    answer_with,
    answer_with_events,
    assert_authorized,
)
from tests.support.gateway.recorder import Recorder

pytestmark = pytest.mark.slow

AgentOf = Callable[..., Agent]
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello, agent."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 3},
}


def test_anthropic_sends_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answer_with(_MESSAGE)
    printed = agent_of("anthropic", "ANTHROPIC").run_python("anthropic")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
    assert [each.request_line for each in upstream.requests] == ["POST /v1/messages HTTP/1.1"]
    assert upstream.requests[0].all("Authorization") == []


def test_anthropic_streams_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    text = {"type": "content_block_delta", "index": 0}
    block = {"type": "content_block_start", "index": 0}
    upstream.answer = answer_with_events(
        ("message_start", {"type": "message_start", "message": _MESSAGE | {"content": []}}),
        ("content_block_start", block | {"content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", text | {"delta": {"type": "text_delta", "text": "Hello, "}}),
        ("content_block_delta", text | {"delta": {"type": "text_delta", "text": "agent."}}),
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        (
            "message_delta",
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 3},
            },
        ),
        ("message_stop", {"type": "message_stop"}),
    )
    printed = agent_of("anthropic", "ANTHROPIC").run_python("anthropic, a stream")
    assert printed == "Hello, \nagent.\n"
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
