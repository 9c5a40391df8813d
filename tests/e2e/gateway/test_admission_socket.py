"""Admissions are reached over their own socket, by the gateway's user, with the gateway's key."""

import os
import signal
import stat
from pathlib import Path

import pytest
import requests

from app.services.container import Services
from tests.e2e.gateway.conftest import CANARY
from tests.support.admission_socket import Answer, admission, ask, ask_as
from tests.support.deployment import Tenant, revoke
from tests.support.gateway.stored import Minted
from tests.support.strongroom import Strongroom
from tests.support.users import NOBODY

ROUTES = ("", "/recheck", "/ends")
BASE = "/internal/v1/admissions"


def token_of(minted: Minted) -> str:
    return minted.token.reveal()


def test_a_gateway_gets_the_credential_over_the_socket(
    admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    answer = ask(admission_socket, BASE, admission(token_of(minted)), gateway_key)
    assert answer.status == 200
    assert answer.body["set"] == [["Authorization", f"Bearer {CANARY}"]]
    assert answer.body["origin"] == {
        "scheme": "https",
        "host": "api.example.com",
        "port": 443,
        "base": "",
    }
    assert answer.body["use"].startswith("gwu_")


def test_only_owner_and_group_reach_the_socket(admission_socket: str) -> None:
    assert stat.S_IMODE(Path(admission_socket).stat().st_mode) == 0o660


@pytest.mark.parametrize("route", ROUTES)
def test_over_tcp_there_is_no_such_path(
    api: Strongroom, gateway_key: str, minted: Minted, route: str
) -> None:
    answer = requests.post(
        f"{api.url}{BASE}{route}",
        json=admission(token_of(minted)),
        headers={"Authorization": f"Bearer {gateway_key}"},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("route", ROUTES)
def test_over_the_socket_of_nginx_there_is_no_such_path(
    sockets: Path, gateway_key: str, minted: Minted, route: str
) -> None:
    body = admission(token_of(minted))
    answer = ask(f"{sockets}/server.sock", f"{BASE}{route}", body, gateway_key)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/secrets", "/openapi.json", "/docs"])
def test_over_the_admission_socket_there_is_nothing_else(
    api: Strongroom, admission_socket: str, path: str
) -> None:
    answer = ask(admission_socket, path, key=api.api_key, method="GET")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("route", ROUTES)
def test_without_the_right_key_nothing_is_admitted(
    api: Strongroom, admission_socket: str, services: Services, minted: Minted, route: str
) -> None:
    unstored = services.gateway_keys.new("never stored").token.reveal()
    for key in (None, api.api_key, unstored, token_of(minted), "gwk_"):
        answer = ask(admission_socket, f"{BASE}{route}", admission(token_of(minted)), key)
        assert (answer.status, answer.code) == (401, "gateway_key_refused")


def test_a_revoked_key_is_refused_at_the_next_request(
    admission_socket: str, services: Services, minted: Minted
) -> None:
    key = services.gateway_keys.new("another node")
    services.gateway_keys.add("another node", key.token)
    body = admission(token_of(minted))
    assert ask(admission_socket, BASE, body, key.token.reveal()).status == 200
    services.gateway_keys.revoke(key.id)
    assert ask(admission_socket, BASE, body, key.token.reveal()).status == 401


def test_another_user_gets_nothing_although_the_socket_lets_it_connect(
    api: Strongroom, admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    arguments = (admission_socket, BASE, admission(token_of(minted)), gateway_key)
    assert ask_as(NOBODY, NOBODY, *arguments) == "PermissionError"
    Path(admission_socket).chmod(0o666)
    try:
        for target in (BASE, "/healthz"):
            answer = ask_as(NOBODY, NOBODY, admission_socket, target, *arguments[2:])
            assert isinstance(answer, Answer)
            assert (answer.status, answer.code) == (404, "not_found")
    finally:
        Path(admission_socket).chmod(0o660)
    assert api.api_key


def test_a_gateway_key_opens_nothing_on_the_public_listener(
    api: Strongroom, gateway_key: str
) -> None:
    bearer = {"Authorization": f"Bearer {gateway_key}"}
    for path in ("/v1/secrets", "/v1/injections"):
        assert requests.get(f"{api.url}{path}", headers=bearer, timeout=20).status_code == 401
    minting = requests.post(
        f"{api.url}/v1/apikeys", json={"name": "more"}, headers=bearer, timeout=20
    )
    assert minting.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"token": 1},
        {"method": "get"},
        {"path": None},
        {"query": "page"},
        {"upgrade": "yes"},
        {"unknown": 1},
        {"query": ["a"] * 101},
        {"address": "a" * 46},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_malformed_request_for_an_admission_is_refused(
    admission_socket: str, gateway_key: str, minted: Minted, changes: dict[str, object]
) -> None:
    answer = ask(admission_socket, BASE, admission(token_of(minted), **changes), gateway_key)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert token_of(minted).encode() not in answer.raw


def test_a_running_request_ends_at_the_recheck_after_a_revocation(
    admission_socket: str, gateway_key: str, tenant: Tenant, minted: Minted
) -> None:
    use = ask(admission_socket, BASE, admission(token_of(minted)), gateway_key).body["use"]
    asked = f"{BASE}/recheck", {"uses": [use]}, gateway_key
    assert ask(admission_socket, *asked).body == {"ended": []}
    revoke(tenant)
    ended = [{"use": use, "code": "gateway_token_refused"}]
    assert ask(admission_socket, *asked).body == {"ended": ended}


def test_the_end_of_a_request_is_taken(
    api: Strongroom, admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    use = ask(admission_socket, BASE, admission(token_of(minted)), gateway_key).body["use"]
    end = {
        "use": use,
        "status": 200,
        "bytes_in": 1,
        "bytes_out": 2,
        "milliseconds": 3,
        "scrub_hits": 0,
    }
    assert ask(admission_socket, f"{BASE}/ends", {"ends": [end]}, gateway_key).body == {}
    with api.rows() as rows:
        stored = rows.one("gateway_uses", id=use.partition(".")[0])
    assert (stored["status"], stored["bytes_out"], stored["milliseconds"]) == (200, 2, 3)


def test_all_traffic_is_stopped_and_started_by_the_command(
    api: Strongroom, admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    body = admission(token_of(minted))
    use = ask(admission_socket, BASE, body, gateway_key).body["use"]
    api.command("gateway", "stop")
    try:
        refused = ask(admission_socket, BASE, body, gateway_key)
        ended = ask(admission_socket, f"{BASE}/recheck", {"uses": [use]}, gateway_key).body
    finally:
        api.command("gateway", "start")
    assert (refused.status, refused.code, refused.retry_after) == (503, "gateway_stopped", "60")
    assert ended == {"ended": [{"use": use, "code": "gateway_stopped"}]}
    assert ask(admission_socket, BASE, body, gateway_key).status == 200


def test_a_reload_keeps_the_socket(
    api: Strongroom, admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    api.send(signal.SIGHUP)
    api.wait_until_ready()
    body = admission(token_of(minted))
    assert ask(admission_socket, BASE, body, gateway_key).status == 200


def test_no_log_line_holds_a_token_a_key_or_a_value(
    api: Strongroom, admission_socket: str, gateway_key: str, minted: Minted
) -> None:
    ask(admission_socket, BASE, admission(token_of(minted)), gateway_key)
    ask(admission_socket, BASE, admission(token_of(minted), token="no token"), gateway_key)
    api.logged("event", ["gateway_admitted"], gateway_token_id=minted.row.id)
    log = api.log.read_text()
    for secret in (CANARY, gateway_key, token_of(minted)):
        assert secret not in log
