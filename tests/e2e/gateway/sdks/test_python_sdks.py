"""Python SDKs send the upstream the one right credential, and read its answer."""

import json
from collections.abc import Callable

import pytest

from tests.e2e.gateway.sdks.agent import (
    CREDENTIAL,
    Agent,
    answer_with,
    answer_with_events,
    assert_authorized,
    request_lines,
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

_CHAT = {"id": "chatcmpl-1", "created": 1, "model": "gpt-5"}
_HELLO = {"role": "assistant", "content": "Hello, agent."}


def test_anthropic_sends_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answer_with(_MESSAGE)
    printed = agent_of("anthropic", "ANTHROPIC").run_python("anthropic")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
    assert request_lines(upstream) == ["POST /v1/messages HTTP/1.1"]
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
    assert request_lines(upstream) == ["POST /v1/messages HTTP/1.1"]


def test_openai_completes_a_chat(agent_of: AgentOf, upstream: Recorder) -> None:
    choice = {"index": 0, "message": _HELLO, "finish_reason": "stop"}
    upstream.answer = answer_with(_CHAT | {"object": "chat.completion", "choices": [choice]})
    printed = agent_of("openai", "OPENAI").run_python("openai")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/chat/completions HTTP/1.1"]


def test_openai_streams_a_chat(agent_of: AgentOf, upstream: Recorder) -> None:
    chunk = _CHAT | {"object": "chat.completion.chunk"}
    choices = [[{"index": 0, "delta": {"content": each}}] for each in ("Hello, ", "agent.")]
    upstream.answer = answer_with_events(
        *((None, chunk | {"choices": each}) for each in choices), (None, "[DONE]")
    )
    printed = agent_of("openai", "OPENAI").run_python("openai, a stream")
    assert printed == "Hello, \nagent.\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/chat/completions HTTP/1.1"]
    assert json.loads(upstream.requests[0].body)["stream"] is True


def test_openai_uploads_a_file(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answer_with(
        {
            "id": "file-1",
            "object": "file",
            "bytes": 2_100_000,
            "created_at": 1,
            "filename": "lines.jsonl",
            "purpose": "batch",
            "status": "processed",
        }
    )
    printed = agent_of("openai", "OPENAI").run_python("openai, an upload")
    assert printed == "file-1\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/files HTTP/1.1"]
    assert b'{"prompt": "Hello."}\n' * 100_000 in upstream.requests[0].body


def test_stripe_creates_a_customer(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answer_with({"id": "cus_1", "object": "customer"})
    printed = agent_of("stripe", "STRIPE").run_python("stripe")
    assert printed == "cus_1\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/customers HTTP/1.1"]
    assert upstream.requests[0].body == b"email=agent%40example.com"


def test_slack_posts_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answer_with({"ok": True, "channel": "C0123456789", "ts": "1.000200"})
    printed = agent_of("slack", "SLACK").run_python("slack_sdk")
    assert printed == "1.000200\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /api/chat.postMessage HTTP/1.1"]
