"""No message repeats a credential, of whatever shape, wherever it was typed or who sent it."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from app.client import redeem
from app.client.messages import say
from app.client.redeem import Fault, Refused, hide
from app.domain.access.api_keys import API_KEY_TOKENS
from app.domain.ids import ACCOUNT, API_KEY, new_id
from tests.unit.app.client.conftest import Redeem, Run
from tests.unit.app.client.protocol_server import ProtocolServer, refusal


def minted(prefix: str) -> str:
    return API_KEY_TOKENS.mint(prefix, new_id(ACCOUNT), new_id(API_KEY)).reveal()


# Made up here, since what looks real in a repository is reported by scanners.
CREDENTIALS = {
    "an API key": minted("ak"),
    "a restricted key": minted("rk"),
    "an injection's token": minted("injt"),
    "a gateway's token": minted("gws"),
    "a token of a kind to come": minted("futr"),
    "OpenAI": "sk-" + "proj-Canary" * 4,
    "Anthropic": "sk-ant-" + "api03-Canary" * 4,
    "Stripe": "sk_" + "live_" + "Canary" * 4,
    "GitHub": "ghp" + "_" + "Canary" * 6,
    "GitHub, fine-grained": "github" + "_pat_" + "Canary" * 8,
    "GitLab": "gl" + "pat-" + "Canary-" * 4,
    "AWS": "AK" + "IA" + "CANARY00CANARY00",
    "Google": "AI" + "za" + "Canary-" * 5,
    "Slack": "xox" + "b-" + "1234567890-Canary" * 2,
    "npm": "npm" + "_" + "Canary" * 6,
    "PyPI": "pypi" + "-" + "AgCanary" * 6,
    "Hugging Face": "hf" + "_" + "Canary" * 6,
    "Vault": "hvs" + "." + "Canary" * 6,
    "Vault, older": "s" + "." + "Canary00" * 3,
    "a JSON Web Token": "ey" + "JCanaryCanary0." + "ey" + "JCanary1.Canary",
    "a private key": "-----BEGIN " + "PRIVATE KEY-----\nCanary\nCanary\n",
    "a password in a URL": "postgresql://user:Canary@host/database",
    "an authorization": "Authorization: Bearer Canary-Canary-Canary",
    "a Fernet key": "CanaryCanary0123456789CanaryCanary0123456789=",
}
TOKEN = "injt_x"


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
def test_a_credential_is_hidden_at_any_place_of_a_text(credential: str) -> None:
    for text in (credential, f"--secret={credential}", f"x {credential} x", f"'{credential}'"):
        assert "anary" not in hide(text)
        assert credential.rsplit("_", maxsplit=1)[-1] not in hide(text)


@pytest.mark.parametrize("prefix", ["ak", "rk", "injt", "gws"])
@pytest.mark.parametrize("length", [30, 60, 90])
def test_the_beginning_of_a_strongroom_credential_is_hidden(prefix: str, length: int) -> None:
    assert hide(f"x={minted(prefix)[:length]}") == "x=…"


@pytest.mark.parametrize(
    "text",
    [
        "request req_03540lzsLiZyNyIMxJTsIP for sec_03540lzsLiZyNyIN1yZB0u",
        "DATABASE_PASSWORD, SK_LIVE and task-runner-configuration",
        "/run/strongroom/my-service/secrets-of-2026/risk_assessment_of_the_year",
        "aws-kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "local-fernet:0123456789abcdef0123456789abcdef0123456789abcdef",
        "vault-transit:https://vault.example.com:8200/transit/strongroom?role_id_file=/etc/role",
        "the server responded with 400: A secret named DATABASE_PASSWORD already exists.",
        "-----",
    ],
)
def test_ordinary_text_is_not_hidden(text: str) -> None:
    assert hide(text) == text


def test_hiding_takes_no_longer_for_a_hostile_text() -> None:
    """Every pattern goes through a text once: a megabyte ends within the time of a test."""
    for piece in ("A", "ak_", "eyJ", "-----BEGIN ", "://a", "bearer ", "hvs.", "a.b-", "sk-"):
        hide(piece * (1_000_000 // len(piece)))


def test_a_refusal_hides_them_in_each_of_its_lines() -> None:
    credential = CREDENTIALS["a restricted key"]
    assert credential not in Refused(Fault("first"), Fault(f"{credential} is wrong")).message


PLACES = {
    "alone": ["{}"],
    "as an option": ["--{}"],
    "as a secret": ["--secret", "{}", "--", "true"],
    "as a secret's name": ["--secret", "A={}", "--", "true"],
    "as a mapping": ["--from", "{}", "--", "true"],
    "as the time": ["--timeout", "{}", "--secret", "GREETING", "--", "true"],
    "as the command": ["--secret", "GREETING", "--", "{}"],
    "as a switch": ["--mask={}", "--", "true"],
}


@pytest.mark.parametrize("arguments", PLACES.values(), ids=PLACES)
def test_run_repeats_no_credential(run: Run, arguments: list[str]) -> None:
    credential = CREDENTIALS["a restricted key"]
    refused = run(*(each.format(credential) for each in arguments))
    assert refused.returncode != 0
    assert credential[-40:] not in refused.stdout + refused.stderr


def test_a_variable_that_is_a_credential_is_refused_and_not_repeated(
    run: Run, server: ProtocolServer
) -> None:
    credential = CREDENTIALS["a restricted key"]
    refused = run("--secret", f"{credential}=GREETING", "--", "true")
    assert (refused.returncode, credential in refused.stderr) == (125, False)
    assert server.exchanges == []


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
def test_an_echo_of_the_server_is_hidden(
    server: ProtocolServer, redeem: Redeem, credential: str
) -> None:
    answer = refusal(400, "bad", f"You sent {credential} to us.")
    server.troubles.append(partial(lambda answer, *_: answer, answer))
    told = redeem("--", "true", token=server.issue({})).stderr
    assert "You sent" in told
    assert "anary" not in told
    assert credential not in told


def test_an_echo_that_is_cut_off_is_hidden(server: ProtocolServer, redeem: Redeem) -> None:
    credential = CREDENTIALS["GitHub"]
    for length in range(470, 500, 5):
        answer = refusal(400, "bad", "x " * (length // 2) + credential)
        server.troubles.append(partial(lambda answer, *_: answer, answer))
        assert "Canary" not in redeem("--", "true", token=server.issue({})).stderr


def test_an_output_path_that_is_a_credential_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credential = CREDENTIALS["a restricted key"]

    def fail(*_: object) -> None:
        raise OSError(5, os.strerror(5), credential)

    monkeypatch.setattr(redeem, "_start", fail)
    assert redeem.main(["--", "true"], {}) == 125
    assert credential not in capsys.readouterr().err


COMMANDS = {
    "a command": ["{}"],
    "an option": ["--{}"],
    "a subcommand": ["account", "{}"],
    "a subcommand's option": ["account", "list", "--{}"],
    "an extra argument": ["account", "list", "{}"],
    "a number": ["keyring", "rewrap", "--rate", "{}"],
    "a choice": ["api-key", "create", "acct_1", "--scope", "{}"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("credential", ["a restricted key", "OpenAI"])
def test_no_usage_error_of_the_command_repeats_a_credential(
    arguments: list[str], credential: str, tmp_path: Path
) -> None:
    typed = CREDENTIALS[credential]
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", *(each.format(typed) for each in arguments)],
        env={"STRONGROOM_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Usage:" in done.stderr) == (2, True)
    assert typed not in done.stdout + done.stderr


def test_no_message_of_the_operators_command_repeats_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say(f"there is no {CREDENTIALS['a restricted key']}.")
    assert capsys.readouterr().err == "strongroom: there is no ….\n"
