"""The secret commands of the vendor's command, which takes ``https://api.<domain>`` only."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.e2e.account import Account
from tests.e2e.front.conftest import API_NAME
from tests.support.certificates import Certificate
from tests.support.javascript import JavaScript
from tests.support.nginx import Nginx

pytestmark = pytest.mark.slow

Rli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def rli(javascript: JavaScript, account: Account, front: Nginx, certificate: Certificate) -> Rli:
    environ = {
        "RUNLOOP_BASE_URL": f"https://{API_NAME}",
        "RUNLOOP_API_KEY": account.token,
        "NODE_EXTRA_CA_CERTS": str(certificate.ca_file),
        "API_NAME": API_NAME,
        "API_PORT": str(front.port),
    }

    def run(*arguments: str, stdin: str = "", check: bool = True) -> CompletedProcess[str]:
        return javascript.run(
            "rli.mjs",
            *arguments,
            environ=environ,
            preload="resolve.cjs",
            stdin=stdin,
            check=check,
        )

    return run


def test_a_secret_is_created_from_standard_input(rli: Rli, account: Account) -> None:
    assert rli("create", "FIRST", stdin="grüße ✓\n").stdout.startswith("sec_")
    assert account.values("FIRST") == {"FIRST": "grüße ✓"}


def test_a_secret_is_updated(rli: Rli, account: Account) -> None:
    created = account.create("FIRST", "before").json()
    assert rli("update", "FIRST", stdin="after").stdout == f"{created['id']}\n"
    assert account.values("FIRST") == {"FIRST": "after"}


def test_a_secret_is_shown_and_listed(rli: Rli, account: Account) -> None:
    first, second = (account.create(name).json() for name in ("FIRST", "SECOND"))
    assert json.loads(rli("get", "FIRST").stdout) == first
    assert json.loads(rli("list").stdout) == [second, first]


def test_a_secret_is_deleted(rli: Rli, account: Account) -> None:
    account.create("FIRST")
    rli("delete", "FIRST")
    assert account.names() == []


def test_a_missing_secret_is_recognised(rli: Rli) -> None:
    refused = rli("delete", "NONE", check=False)
    assert refused.returncode == 1
