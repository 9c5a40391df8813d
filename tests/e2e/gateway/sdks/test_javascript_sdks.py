"""JavaScript SDKs do the same, by URLs with the config in the name of the host.

Stripe's SDK keeps nothing else of a URL. The other ones keep its path, too.
"""

import json
from collections.abc import Callable

import pytest

from tests.e2e.gateway.sdks import answers
from tests.e2e.gateway.sdks.agent import CREDENTIAL, Agent, assert_authorized, request_lines
from tests.support.gateway.recorder import Answer, Recorder

pytestmark = pytest.mark.slow

AgentOf = Callable[..., Agent]


@pytest.fixture(scope="module")
def gateway_url(front_port: int) -> str:
    return f"https://{{config}}.gw.localhost:{front_port}"


@pytest.mark.parametrize(
    ("recipe", "answer", "expected"),
    [
        ("anthropic", answers.anthropic_message(), "Hello, agent.\n"),
        ("anthropic, a stream", answers.anthropic_stream(), "Hello, \nagent.\n"),
    ],
    ids=["whole", "stream"],
)
def test_anthropic_gets_a_message(
    agent_of: AgentOf, upstream: Recorder, recipe: str, answer: Answer, expected: str
) -> None:
    upstream.answer = answer
    printed = agent_of("anthropic", "ANTHROPIC").run_javascript(recipe)
    assert printed == expected
    assert_authorized(upstream, "x-api-key", CREDENTIAL)
    assert request_lines(upstream) == ["POST /v1/messages HTTP/1.1"]
    assert upstream.requests[0].all("Authorization") == []


@pytest.mark.parametrize(
    ("recipe", "answer", "expected"),
    [
        ("openai", answers.openai_chat(), "Hello, agent.\n"),
        ("openai, a stream", answers.openai_stream(), "Hello, \nagent.\n"),
    ],
    ids=["whole", "stream"],
)
def test_openai_completes_a_chat(
    agent_of: AgentOf, upstream: Recorder, recipe: str, answer: Answer, expected: str
) -> None:
    upstream.answer = answer
    assert agent_of("openai", "OPENAI").run_javascript(recipe) == expected
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/chat/completions HTTP/1.1"]
    assert json.loads(upstream.requests[0].body)["messages"][0]["content"] == "Hello."


def test_openai_uploads_a_file(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.openai_file()
    assert agent_of("openai", "OPENAI").run_javascript("openai, an upload") == "file-1\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/files HTTP/1.1"]
    assert b'{"prompt": "Hello."}\n' * 100_000 in upstream.requests[0].body


def test_stripe_creates_a_customer(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.stripe_customer()
    assert agent_of("stripe", "STRIPE").run_javascript("stripe") == "cus_1\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /v1/customers HTTP/1.1"]
    assert upstream.requests[0].body == b"email=agent%40example.com"


def test_octokit_creates_an_issue(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.github_issue()
    assert agent_of("github", "GITHUB").run_javascript("@octokit/rest") == "7\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == ["POST /repos/team/project/issues HTTP/1.1"]


def test_octokit_reads_the_second_page_of_a_list(agent_of: AgentOf, upstream: Recorder) -> None:
    upstream.answer = answers.github_pages(upstream.port)
    assert agent_of("github", "GITHUB").run_javascript("@octokit/rest, a list") == "7\n8\n"
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == [
        "GET /repos/team/project/issues HTTP/1.1",
        "GET /repositories/1/issues?page=2 HTTP/1.1",
    ]
