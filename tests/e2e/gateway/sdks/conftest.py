"""Clients of vendors through nginx, gateway and API, to upstreams that record every byte.

Configs and tokens are made over the API, with the auth mechanism and the rules of the shipped
configs; only the endpoint is the recorder's. The commands are those of ``docs/gateway-clients.md``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.services.container import Services
from tests.e2e.account import Account
from tests.e2e.gateway.sdks.agent import CREDENTIAL, Agent, shipped_config
from tests.support.certificates import Certificate
from tests.support.gateway.recorder import Recorder
from tests.support.nginx import Nginx
from tests.support.strongroom import Strongroom


@pytest.fixture(scope="module")
def gateway_url(front_port: int) -> str:
    """The gateway's URL; a module that tries names of hosts has another."""
    return f"https://localhost:{front_port}"


@pytest.fixture(scope="module")
def account(api: Strongroom, services: Services) -> Iterator[Account]:
    with Account.new(api.url, services) as account:
        yield account


@pytest.fixture
def agent_of(
    account: Account,
    front: Nginx,
    certificate: Certificate,
    upstream: Recorder,
    tmp_path: Path,
) -> Callable[..., Agent]:
    """Makes an agent for one of the shipped configs, with a token that was minted over the API."""

    def make(shipped: str, prefix: str, **changes: object) -> Agent:
        config = shipped_config(shipped, upstream.port, tmp_path.name)
        basic = config["auth_mechanism"]["type"] == "basic"
        secret = f"KEY_FOR_{tmp_path.name}"
        assert account.create(secret, f"agent:{CREDENTIAL}" if basic else CREDENTIAL).ok
        made = account.call("POST", "/v1/gateway-configs", config | changes)
        assert made.ok, made.text
        names = {"gateway": made.json()["id"], "secret": secret}
        minted = account.call("POST", "/v1/devboxes/a-box/create_gateway_token", names).json()
        return Agent(prefix, minted["url"], minted["token"], tmp_path, certificate.ca_file)

    return make
