"""A server whose every metric moves, watched by a real Prometheus.

Its clients send requests of all kinds, and the first of its two key providers, a real Vault, fails
while it is sealed. The data keys from before that provider was listed are stale.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import requests

from tests.e2e.canaries import canary
from tests.e2e.keys.roots import TransitRoot
from tests.support.dashboard import Panel, Target
from tests.support.openbao import OpenBao, openbao_server
from tests.support.ports import free_port
from tests.support.prometheus import Line, Prometheus, prometheus_server
from tests.support.strongroom import Strongroom, prepared

INSTANCE = "node-1.example:9102"
RATE_INTERVAL = "15s"
NAME, VARIABLE, METHOD = "OF_A_CUSTOMER", "A_VARIABLE", "OF-A-CLIENT"


@dataclass
class WatchedServer:
    """A server, its key provider, and the Prometheus that scrapes it.

    Attributes:
        sent: The names, ids, keys and tokens that clients and the server have sent.
    """

    prometheus: Prometheus
    vault: OpenBao
    _server: Strongroom
    sent: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.time)

    def use(self) -> None:
        """Send requests of every kind; some are refused."""
        key, value = self._server.api_key, canary(len(self.sent))
        self._call(key, "POST", "/v1/secrets", json={"name": NAME, "value": value})
        self._call(key, "POST", f"/v1/secrets/{NAME}", json={"value": value})
        self._call(key, "GET", "/v1/secrets")
        self._call(key, "GET", f"/v1/secrets/{value}?{value}={value}")
        self._call(key, METHOD, f"/v1/{value}")
        body = {"secrets": {VARIABLE: NAME}}
        made = self._call(key, "POST", "/v1/injections", json=body)
        self.sent |= {NAME, VARIABLE, METHOD, key, self.vault.root_token}
        if made.ok:
            self.sent |= {made.json()["id"], made.json()["token"]}
            self._redeem(made.json()["token"])

    def lines(self, target: Target) -> list[Line]:
        """Return the lines of a query since the beginning, with the numbers in them."""
        query = target.query(INSTANCE, RATE_INTERVAL)
        found = self.prometheus.lines(query, self._began, time.time())
        numbers = [
            (labels, [each for each in samples if isfinite(each[1])]) for labels, samples in found
        ]
        return [(labels, samples) for labels, samples in numbers if samples]

    def has_data(self, panel: Panel) -> bool:
        """Report whether each query of a panel has yielded a number."""
        return all(self.lines(target) for target in panel.targets)

    def _redeem(self, token: str) -> None:
        """Redeem a token, repeat that, and use the token again."""
        for nonce in ("a" * 64, "a" * 64, "b" * 64):
            body = {"redeem_nonce": nonce}
            self._call(token, "POST", "/v1/injections/redeem", json=body)

    def _call(self, key: str, method: str, path: str, **options: object) -> requests.Response:
        """Call the API over a connection of its own, so that any worker may answer."""
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self._server.url}{path}"
        return requests.request(method, url, headers=headers, timeout=60, **options)  # type: ignore[arg-type]


@contextmanager
def watched_server(directory: Path) -> Iterator[WatchedServer]:
    """Run a server with two workers, its Vault and its Prometheus until the block ends.

    Opened data keys stay in memory for four seconds, so that the Vault is often asked.
    """
    metrics = f"127.0.0.1:{free_port()}"
    settings = {
        "STRONGROOM_METRICS_BIND": metrics,
        "STRONGROOM_WORKERS": "2",
        "STRONGROOM_DATA_KEY_CACHE_SECONDS": "4",
    }
    server = prepared(directory, settings)
    (directory / "vault").mkdir()
    with openbao_server(directory / "vault") as vault:
        root = TransitRoot(vault, vault.host, directory)
        try:
            server.start(STRONGROOM_KEYS=f"{root.uri} local-fernet:{server.home}/keys")
            with prometheus_server(directory / "prometheus", metrics, INSTANCE) as prometheus:
                yield WatchedServer(prometheus, vault, server)
        finally:
            server.kill()
