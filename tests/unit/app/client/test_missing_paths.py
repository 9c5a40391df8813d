"""RUNLOOP_BASE_URL with a path under which there is no API."""

import pytest

from tests.unit.app.client.conftest import Run
from tests.unit.app.client.protocol_server import Answer, ProtocolServer, refusal

HINT = "RUNLOOP_BASE_URL has a path"
ANSWERS = {
    "ours": refusal(404, "not_found", "There is nothing at this path."),
    "another": (404, b"<html>canary</html>", {}),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_path_that_the_server_does_not_know_is_named_as_the_likely_fault(
    run: Run, server: ProtocolServer, answer: Answer
) -> None:
    server.troubles.append(lambda _, __: answer)
    url = f"{server.url}/canary/v1"
    result = run("--secret", "GREETING", "--", "true", RUNLOOP_BASE_URL=url)
    assert (result.returncode, HINT in result.stderr) == (123, True)
    assert "canary" not in result.stderr


def test_without_a_path_no_path_is_blamed(run: Run, server: ProtocolServer) -> None:
    server.troubles.append(lambda _, __: ANSWERS["another"])
    result = run("--secret", "GREETING", "--", "true", RUNLOOP_BASE_URL=f"{server.url}/")
    assert result.returncode == 123
    assert result.stderr.strip().endswith("the server responded with 404")
