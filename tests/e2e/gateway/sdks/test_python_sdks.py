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
    response,
)
from tests.support.gateway.recorder import Connection, Received, Recorder

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


def test_pygithub_creates_an_issue(agent_of: AgentOf, upstream: Recorder) -> None:
    url = "https://api.github.com/repos/team/project/issues/7"
    upstream.answer = answer_with({"url": url, "number": 7})
    printed = agent_of("github", "GITHUB").run_python("PyGithub")
    assert printed == "7\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /repos/team/project/issues HTTP/1.1"]


def test_pygithub_reads_the_second_page_of_a_list(agent_of: AgentOf, upstream: Recorder) -> None:
    next_page = f"https://127.0.0.1:{upstream.port}/repositories/1/issues?page=2"

    async def answer(connection: Connection, received: Received) -> None:
        is_last = received.target.endswith("?page=2")
        body = json.dumps([{"number": 8 if is_last else 7}]).encode()
        link = {} if is_last else {"Link": f'<{next_page}>; rel="next"'}
        await connection.send(response(body, **link))

    upstream.answer = answer
    printed = agent_of("github", "GITHUB").run_python("PyGithub, a list")
    assert printed == "7\n8\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == [
        "GET /repos/team/project/issues HTTP/1.1",
        "GET /repositories/1/issues?page=2 HTTP/1.1",
    ]


def test_google_genai_generates_content(agent_of: AgentOf, upstream: Recorder) -> None:
    content = {"role": "model", "parts": [{"text": "Hello, agent."}]}
    upstream.answer = answer_with({"candidates": [{"content": content, "finishReason": "STOP"}]})
    printed = agent_of("gemini", "GEMINI").run_python("google-genai")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "x-goog-api-key", CREDENTIAL)
    path = "/v1/models/gemini-2.5-flash:generateContent"
    assert request_lines(upstream) == [f"POST {path} HTTP/1.1"]
    assert upstream.requests[0].all("Authorization") == []
