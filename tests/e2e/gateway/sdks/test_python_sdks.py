"""Python SDKs send the upstream the one right credential, and read its answer."""

import json
from collections.abc import Callable

import pytest

from tests.e2e.gateway.sdks import answers
from tests.e2e.gateway.sdks.agent import (
    CREDENTIAL,
    Agent,
    answer_with,
    assert_authorized,
    request_lines,
)
from tests.support.gateway.recorder import Recorder

pytestmark = pytest.mark.slow

AgentOf = Callable[..., Agent]


def test_anthropic_sends_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.anthropic_message()
    printed = agent_of("anthropic", "ANTHROPIC").run_python("anthropic")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
    assert request_lines(upstream) == ["POST /v1/messages HTTP/1.1"]
    assert upstream.requests[0].all("Authorization") == []


def test_anthropic_streams_a_message(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.anthropic_stream()
    printed = agent_of("anthropic", "ANTHROPIC").run_python("anthropic, a stream")
    assert printed == "Hello, \nagent.\n"
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
    assert request_lines(upstream) == ["POST /v1/messages HTTP/1.1"]


def test_openai_completes_a_chat(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.openai_chat()
    printed = agent_of("openai", "OPENAI").run_python("openai")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/chat/completions HTTP/1.1"]


def test_openai_streams_a_chat(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.openai_stream()
    printed = agent_of("openai", "OPENAI").run_python("openai, a stream")
    assert printed == "Hello, \nagent.\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/chat/completions HTTP/1.1"]
    assert json.loads(upstream.requests[0].body)["stream"] is True


def test_openai_uploads_a_file(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.openai_file()
    printed = agent_of("openai", "OPENAI").run_python("openai, an upload")
    assert printed == "file-1\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/files HTTP/1.1"]
    assert b'{"prompt": "Hello."}\n' * 100_000 in upstream.requests[0].body


def test_openai_talks_in_a_realtime_session(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.openai_realtime(upstream)
    printed = agent_of("openai", "OPENAI").run_python("openai, a realtime session")
    assert printed == "Hello, agent.\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["GET /v1/realtime?model=gpt-realtime HTTP/1.1"]
    assert b"Say hello." in upstream.raw


def test_stripe_creates_a_customer(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.stripe_customer()
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
    upstream.answer = answers.github_issue()
    printed = agent_of("github", "GITHUB").run_python("PyGithub")
    assert printed == "7\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /repos/team/project/issues HTTP/1.1"]


def test_pygithub_reads_the_second_page_of_a_list(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.github_pages(upstream.port)
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
