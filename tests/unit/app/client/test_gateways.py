"""Gateway tokens in place of values: ``--gateway`` and ``--sdk`` of the commands."""

import os
from pathlib import Path

import pytest

from app.client.redeem import SDK_NAMES, SdkChoice
from app.client.server_home import readable_home
from tests.support.users import acting_as
from tests.unit.app.client.conftest import Redeem, Run
from tests.unit.app.client.protocol_server import (
    GATEWAY_TOKEN,
    GATEWAY_URL,
    ProtocolServer,
    refusal,
)

GATEWAY = ("--gateway", "ANTHROPIC=anthropic:GREETING", "--same-user")
SHOW = ("--", "sh", "-c", "env | grep -E '^(ANTHROPIC|OPENAI|GREETING|PIP|NPM|GIT)' | sort")


def test_the_command_gets_token_and_url_and_no_value(run: Run, server: ProtocolServer) -> None:
    result = run(*GATEWAY, *SHOW)
    assert result.stdout.split() == [f"ANTHROPIC={GATEWAY_TOKEN}", f"ANTHROPIC_URL={GATEWAY_URL}"]
    assert [exchange.body.get("gateways") for exchange in server.exchanges[-2:]] == [
        {"ANTHROPIC": {"gateway": "anthropic", "secret": "GREETING"}},
        None,
    ]


def test_terms_are_part_of_the_request(run: Run, server: ProtocolServer) -> None:
    limits = "requests=100,requests_per_minute=60,in_flight=2"
    rules = "allow=GET|POST /v1/**,allow=/v1/models,id"
    entry = f"ANTHROPIC=anthropic:GREETING,ttl=1h,{limits},{rules}"
    assert run("--gateway", entry, "--same-user", "--", "echo", "started").stdout == "started\n"
    assert server.exchanges[-2].body["gateways"] == {
        "ANTHROPIC": {
            "gateway": "anthropic",
            "secret": "GREETING",
            "ttl_seconds": 3600,
            "limits": {"requests": 100, "requests_per_minute": 60, "in_flight": 2},
            "allow": [
                {"methods": ["GET", "POST"], "path": "/v1/**"},
                {"path": "/v1/models,id"},
            ],
        }
    }


def test_values_and_tokens_come_together(run: Run) -> None:
    result = run(*GATEWAY, "--secret", "OPENAI=DATABASE_PASSWORD", *SHOW)
    assert f"ANTHROPIC={GATEWAY_TOKEN}" in result.stdout
    assert "OPENAI=canary-p" in result.stdout


def test_all_leaves_out_the_secret_behind_the_gateway(run: Run) -> None:
    result = run(*GATEWAY, "--all", *SHOW)
    assert f"ANTHROPIC={GATEWAY_TOKEN}" in result.stdout
    assert "GREETING=" not in result.stdout


def test_masking_hides_the_token_and_shows_its_url(run: Run) -> None:
    result = run(*GATEWAY, "--mask", *SHOW)
    assert result.stdout.split() == ["ANTHROPIC=[masked]", f"ANTHROPIC_URL={GATEWAY_URL}"]


def test_a_token_of_an_injection_brings_gateways(
    run: Run, server: ProtocolServer, redeem: Redeem
) -> None:
    token = server.issue({})
    server.gateways[token] = {"OPENAI": GATEWAY_TOKEN, "OPENAI_URL": GATEWAY_URL}
    result = redeem("--sdk", "openai", *SHOW, token=token)
    assert f"OPENAI_API_KEY={GATEWAY_TOKEN}" in result.stdout.split()


PLACE = "gw.example/gwc_1"
LINES = {
    "anthropic": [f"ANTHROPIC_API_KEY={GATEWAY_TOKEN}", f"ANTHROPIC_BASE_URL={GATEWAY_URL}"],
    "openai": [f"OPENAI_API_KEY={GATEWAY_TOKEN}", f"OPENAI_BASE_URL={GATEWAY_URL}/v1"],
    "git": [
        "GIT_CONFIG_COUNT=2",
        f"GIT_CONFIG_KEY_0=url.{GATEWAY_URL}/.insteadOf",
        f"GIT_CONFIG_KEY_1=http.{GATEWAY_URL}/.extraHeader",
        "GIT_CONFIG_VALUE_0=https://github.com/",
        f"GIT_CONFIG_VALUE_1=Authorization: Bearer {GATEWAY_TOKEN}",
    ],
    "npm": [f"registry={GATEWAY_URL}/", f"//{PLACE}/:_authToken={GATEWAY_TOKEN}"],
    "pip": [f"PIP_INDEX_URL=https://token:{GATEWAY_TOKEN}@{PLACE}/simple/"],
}


@pytest.mark.parametrize("sdk", SDK_NAMES)
def test_an_sdk_finds_its_variables(run: Run, sdk: str) -> None:
    gateway = ("--gateway", "MINE=any config:GREETING", "--same-user", "--sdk", f"{sdk}=MINE")
    show = "env | grep -E '^(ANTHROPIC|OPENAI|PIP_I|GIT)' | sort; cat $NPM_CONFIG_USERCONFIG"
    result = run(*gateway, "--", "sh", "-c", show)
    assert result.stdout.splitlines() == LINES[sdk], result.stderr


@pytest.mark.parametrize("sdk", SDK_NAMES)
def test_an_sdk_has_a_prefix_that_needs_no_permission(run: Run, sdk: str) -> None:
    choice = SdkChoice.parse(sdk)
    assert choice is not None
    gateway = ("--gateway", f"{choice.prefix}=config:GREETING", "--same-user", "--sdk", sdk)
    assert run(*gateway, "--", "echo", "started").stdout == "started\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gateway", "hunter2"), "--gateway: must read PREFIX=CONFIG:SECRET_NAME"),
        (("--gateway", "A=hunter2"), "--gateway A=…: must read PREFIX=CONFIG:SECRET_NAME"),
        (("--gateway", "A=c:sk-ant-hunter2-hunter2-hun"), "must read PREFIX=CONFIG:SECRET_NAME"),
        (("--gateway", "A=c:GREETING,hunter2=1"), "must read PREFIX=CONFIG:SECRET_NAME[,TERMS]"),
        (("--gateway", "A=c:GREETING,ttl=hunter2"), "--gateway A=…: ttl: terms read ttl=1h"),
        (("--gateway", "A=c:GREETING,ttl=1h,ttl=2h"), "--gateway A=…: ttl: terms"),
        (("--gateway", "A=c:GREETING,requests=0"), "--gateway A=…: requests: terms"),
        (("--gateway", "A=c:GREETING,in_flight=1,in_flight=2"), "A=…: in_flight: terms"),
        (("--gateway", "A=c:GREETING,allow=get /hunter2"), "--gateway A=…: allow: terms"),
        (("--gateway", "A=c:hunter2"), "--gateway A=…: the account has no secret of this name"),
        ((*GATEWAY, "--gateway", "ANTHROPIC=c:GREETING"), "ANTHROPIC=…: is given twice"),
        ((*GATEWAY, "--secret", "GREETING"), "the command would also get the value"),
        ((*GATEWAY, "--secret", "ANTHROPIC_URL=DATABASE_PASSWORD"), "is given a secret, too"),
        (("--gateway", "LD_PRELOAD=c:GREETING"), "LD_PRELOAD controls"),
        ((*GATEWAY, "--sdk", "rust"), "--sdk: must be NAME or NAME=PREFIX of anthropic"),
        ((*GATEWAY, "--sdk", "openai"), "--sdk openai: there is no gateway token in OPENAI"),
        (
            (*GATEWAY, "--sdk", "anthropic", "--sdk", "anthropic=OTHER"),
            "--sdk: two set the same variable",
        ),
        (
            (*GATEWAY, "--sdk", "anthropic", "--secret", "ANTHROPIC_API_KEY=DATABASE_PASSWORD"),
            "--sdk: ANTHROPIC_API_KEY is set twice",
        ),
    ],
)
def test_options_that_contradict_start_nothing(
    run: Run, server: ProtocolServer, options: tuple[str, ...], message: str
) -> None:
    result = run("--same-user", *options, "--", "echo", "started")
    assert (result.returncode, result.stdout) == (125, "")
    assert message in result.stderr
    assert "hunter2" not in result.stderr
    assert all("gateways" not in exchange.body for exchange in server.exchanges)


def test_a_variable_that_is_set_already_is_not_replaced(run: Run, server: ProtocolServer) -> None:
    options = (*GATEWAY, "--sdk", "anthropic")
    result = run(*options, "--", "true", ANTHROPIC_API_KEY="mine")
    assert "ANTHROPIC_API_KEY is already set" in result.stderr
    assert run(*options, "--override", "--", "true", ANTHROPIC_API_KEY="mine").returncode == 0


def test_redeem_refuses_an_sdk_without_its_token(server: ProtocolServer, redeem: Redeem) -> None:
    result = redeem("--sdk", "openai", "--", "true", token=server.issue({"A": "GREETING"}))
    assert result.returncode == 125
    assert "there is no gateway token in OPENAI" in result.stderr


def test_a_refusal_of_the_server_starts_nothing(run: Run, server: ProtocolServer) -> None:
    server.troubles.append(
        lambda *_: refusal(400, "gateway_not_configured", "This server has no gateway.")
    )
    result = run("--gateway", "A=anthropic:DATABASE_PASSWORD", "--same-user", "--", "true")
    assert result.returncode == 123
    assert "This server has no gateway." in result.stderr


def test_a_home_that_can_be_read_starts_nothing(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "a home"
    home.mkdir()
    (home / "gateway.key").write_text("gwk_\n")
    gateway = ("--gateway", "A=anthropic:DATABASE_PASSWORD")
    result = run(*gateway, "--", "echo", "started", STRONGROOM_HOME=str(home))
    assert (result.returncode, result.stdout) == (125, "")
    assert f"this user can read {home}" in result.stderr
    result = run(*gateway, "--same-user", "--", "echo", "started", STRONGROOM_HOME=str(home))
    assert result.stdout == "started\n"
    assert f"its user can read {home}" in result.stderr


@pytest.mark.parametrize("place", ["named", "checkout"])
@pytest.mark.parametrize("name", ["gateway.key", "strongroom.db", "client.env"])
def test_a_readable_file_of_a_home_is_found(tmp_path: Path, place: str, name: str) -> None:
    home = tmp_path / "var"
    home.mkdir()
    (home / name).touch()
    environ = {"STRONGROOM_HOME": str(home)} if place == "named" else {}
    checkout = tmp_path if place == "checkout" else tmp_path / "elsewhere"
    assert readable_home(environ, checkout) == home


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_a_home_of_another_user_is_not_readable(tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir(mode=0o700)
    (home / "gateway.key").touch()
    environ = {"STRONGROOM_HOME": str(home)}
    with acting_as(65534):
        assert readable_home(environ, tmp_path) != home
