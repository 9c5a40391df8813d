"""What the APIs of vendors answer, as far as their SDKs read it."""

import json

from tests.e2e.gateway.sdks.agent import answer_with, answer_with_events
from tests.support.gateway.recorder import Answer, Connection, Received, Recorder, response
from tests.support.gateway.websocket import WebSocket

_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "Hello, agent."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 3},
}
_CHAT = {"id": "chatcmpl-1", "created": 1, "model": "gpt-5"}
_HELLO = {"role": "assistant", "content": "Hello, agent."}


def anthropic_message() -> Answer:
    return answer_with(_MESSAGE)


def anthropic_stream() -> Answer:
    """A message in two pieces of text."""
    text = {"type": "content_block_delta", "index": 0}
    block = {"type": "content_block_start", "index": 0}
    return answer_with_events(
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


def openai_chat() -> Answer:
    choice = {"index": 0, "message": _HELLO, "finish_reason": "stop"}
    return answer_with(_CHAT | {"object": "chat.completion", "choices": [choice]})


def openai_stream() -> Answer:
    """A chat in two pieces of text."""
    chunk = _CHAT | {"object": "chat.completion.chunk"}
    choices = [[{"index": 0, "delta": {"content": each}}] for each in ("Hello, ", "agent.")]
    events = [(None, chunk | {"choices": each}) for each in choices]
    return answer_with_events(*events, (None, "[DONE]"))


def openai_file() -> Answer:
    return answer_with(
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


def stripe_customer() -> Answer:
    return answer_with({"id": "cus_1", "object": "customer"})


def github_issue() -> Answer:
    """An issue whose URL is of the API itself, as GitHub's are."""
    url = "https://api.github.com/repos/team/project/issues/7"
    return answer_with({"url": url, "number": 7})


def github_pages(port: int) -> Answer:
    """A list of issues in two pages, the first of which has a link to the second."""
    next_page = f"https://127.0.0.1:{port}/repositories/1/issues?page=2"

    async def answer(connection: Connection, received: Received) -> None:
        is_last = received.target.endswith("?page=2")
        body = json.dumps([{"number": 8 if is_last else 7}]).encode()
        link = {} if is_last else {"Link": f'<{next_page}>; rel="next"'}
        await connection.send(response(body, **link))

    return answer


def openai_realtime(upstream: Recorder) -> Answer:
    """A session that asks for nothing, and answers the first message."""

    async def answer(connection: Connection, received: Received) -> None:
        socket = await WebSocket.accept(connection, received, upstream)
        asked = json.loads(await socket.read())
        assert asked["type"] == "response.create"
        done = {"type": "response.output_text.done", "text": "Hello, agent."}
        await socket.send(json.dumps(done))
        await socket.until_closed()

    return answer
