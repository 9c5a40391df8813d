"""Values, tokens and nonces are nowhere but in the answer that hands them over."""

import json
import os
import resource
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.e2e.account import Account
from tests.e2e.canaries import canary, found_in
from tests.e2e.injections.calls import inject, redeem
from tests.e2e.injections.conftest import VaultServer
from tests.support.faulty_proxy import answer


@dataclass(frozen=True, slots=True)
class Traces:
    """The requests, and everything in the responses but the values.

    Attributes:
        hidden: What must be nowhere: the secret parts of tokens, and nonces.
        refusals: Bodies and headers of the answers.
    """

    hidden: list[str]
    refusals: bytes


@pytest.fixture(scope="module")
def traces(deployment: VaultServer) -> Iterator[Traces]:
    """Each thing that can happen to a token, with a value of a kind that is recognised."""
    with Account.new(deployment.server.url, deployment.operator) as account:
        account.create("API_TOKEN", canary(1))
        tokens = [inject(account, "API_TOKEN")["token"] for _ in range(3)]
        nonce = secrets.token_urlsafe(32)
        url = account.url
        for _ in range(2):
            assert redeem(url, tokens[0], nonce).json() == {"environment": {"API_TOKEN": canary(1)}}
        refused = [
            redeem(url, tokens[0]),
            redeem(url, tokens[0], nonce[::-1]),
            redeem(url, tokens[1][:-1] + "!", nonce),
            redeem(url, tokens[1], nonce[:20]),
            redeem(url, tokens[1], nonce + "\n"),
            *misplaced(url, tokens[1], nonce),
            during_an_outage(deployment, nonce),
        ]
        assert all(each.status_code >= 400 for each in refused)
        hidden = [nonce, nonce[::-1], nonce[:20], *(token[-49:-6] for token in tokens)]
        told = b"".join(each.content + str(each.headers).encode() for each in refused)
        yield Traces(hidden, told)


def misplaced(url: str, token: str, nonce: str) -> Iterator[requests.Response]:
    """Tokens and nonces where neither belongs."""
    place = f"{url}/v1/injections/redeem"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"redeem_nonce": nonce, "token": token, nonce: token, "value": canary(2)})
    for data in (body, body[:-2], f"[{body}]", body.encode("utf-16")):
        yield requests.post(place, data=data, headers=headers, timeout=30)
    yield requests.post(f"{place}?token={token}&nonce={nonce}", headers=headers, timeout=30)
    yield requests.post(f"{place}/{token}/{quote(canary(3))}", headers=headers, timeout=30)
    yield requests.get(f"{url}/v1/injections/{token}", headers=headers, timeout=30)
    yield requests.post(place, headers={"Authorization": f"Basic {token}"}, timeout=30)
    yield requests.post(place, headers=headers | {"x-request-id": nonce + "ü"}, timeout=30)


def during_an_outage(deployment: VaultServer, nonce: str) -> requests.Response:
    token = deployment.inject(deployment.new_caller(canary(4)))
    with deployment.link.failing(answer(500, {"errors": [canary(5)]})):
        return redeem(deployment.server.url, token, nonce)


def everything_hidden(traces: Traces, data: bytes) -> list[str]:
    """In which forms something is in ``data`` that must not be."""
    return found_in(data) + [form for text in traces.hidden for form in found_in(data, text)]


def test_no_refusal_repeats_the_request(traces: Traces) -> None:
    assert everything_hidden(traces, traces.refusals) == []


def test_the_log_at_debug_has_none_of_it(deployment: VaultServer, traces: Traces) -> None:
    log = deployment.server.log.read_bytes()

    assert b"injection_reused" in log
    assert b"Traceback" not in log
    assert everything_hidden(traces, log) == []


@pytest.mark.sqlite  # tests/e2e/test_postgresql_leaks.py looks at the files of PostgreSQL
def test_no_file_of_the_server_has_any_of_it(deployment: VaultServer, traces: Traces) -> None:
    home = list(files_in(deployment.server.home))

    assert deployment.server.home / "strongroom.db" in home
    for file in home:
        assert (file.name, everything_hidden(traces, file.read_bytes())) == (file.name, [])


def test_the_server_makes_no_temporary_file(deployment: VaultServer, traces: Traces) -> None:
    assert traces.hidden
    assert list(files_in(deployment.temporary)) == []


@pytest.mark.parametrize("what", ["cmdline", "environ"])
def test_no_process_of_the_server_shows_any_of_it(
    deployment: VaultServer, traces: Traces, what: str
) -> None:
    for process in deployment.server.processes():
        shown = Path(f"/proc/{process}/{what}").read_bytes()
        assert everything_hidden(traces, shown) == []


def test_no_process_of_the_server_can_dump_its_memory(deployment: VaultServer) -> None:
    limits = [
        resource.prlimit(process, resource.RLIMIT_CORE) for process in deployment.server.processes()
    ]

    assert len(limits) == 2
    assert set(limits) == {(0, 0)}


def files_in(place: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(place):
        yield from (Path(directory, name) for name in names)
