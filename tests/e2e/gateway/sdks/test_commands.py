"""Commands do the same, without an SDK."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.gateway.sdks.agent import (
    CREDENTIAL,
    Agent,
    answer_with,
    assert_authorized,
    python,
    request_lines,
)
from tests.support.certificates import Certificate
from tests.support.gateway.git_server import git_server
from tests.support.gateway.indexes import npm_registry, python_index
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


def test_git_clones_and_pushes(agent_of: AgentOf, certificate: Certificate, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.file, certificate.key_file)
    (root := tmp_path / "repositories").mkdir()
    with git_server(root, f"agent:{CREDENTIAL}", tls) as server:
        endpoint = f"https://127.0.0.1:{server.port}"
        agent_of("github-git", "GITHUB", endpoint=endpoint).run_shell("git")
    lines = [head.partition(" HTTP/")[0] for head in server.heads]
    assert lines[0] == "GET /team/project.git/info/refs?service=git-upload-pack"
    assert lines[-1] == "POST /team/project.git/git-receive-pack"
    branches = root / "team" / "project.git" / "refs" / "heads"
    assert [each.name for each in branches.iterdir()] == ["work"]
    assert [head for head in server.heads if head.count("Authorization: Basic ") != 1] == []
    assert [head for head in server.heads if "gws_" in head or "gwc_" in head] == []


def test_npm_asks_its_registry(agent_of: AgentOf, upstream: Recorder) -> None:
    require("npm")
    upstream.answer = npm_registry()
    assert agent_of("a registry", "NPM").run_shell("npm").strip() == "1.2.3"
    assert_authorized(upstream, "Authorization")
    assert set(request_lines(upstream)) == {"GET /parcel HTTP/1.1"}


def test_pip_downloads_from_its_index(
    agent_of: AgentOf, upstream: Recorder, tmp_path: Path
) -> None:
    python()
    upstream.answer = python_index()
    agent_of("an index", "PYPI").run_shell("pip")
    assert (tmp_path / "parcel-1.2.3-py3-none-any.whl").is_file()
    assert_authorized(upstream, "Authorization")
    assert request_lines(upstream) == [
        "GET /simple/parcel/ HTTP/1.1",
        "GET /files/parcel-1.2.3-py3-none-any.whl HTTP/1.1",
    ]
