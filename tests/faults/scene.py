"""A deployment under one provider, and processes of it in this one."""

from pathlib import Path

from flask import Flask

from app.api.http.context import SERVICES
from app.factory import create_app
from app.server.application import Application
from app.services.clock import now_ms
from app.services.container import Services
from backends.keyring.keyring import Keyring
from backends.keyring.registry import create_keyring
from config import load
from config.files import Files
from tests.e2e.canaries import canary
from tests.faults.fault import Backend
from tests.faults.watching import Providers
from tests.support import databases
from tests.support.api_deployment import Client
from tests.support.deployment import Clock, Deployment, Snapshot, Tenant, new_tenant
from tests.support.terminal import Terminal
from tests.unit.app.services.leaks import Watch

KEPT = canary(0)
"""The value of the secret that there is."""

CONCURRENCY = 8

SYSTEM_TEXTS = ("Connection refused", "Connection reset", "Name or service not known", "timed out")
"""Messages of sockets and the resolver, which may name hosts and addresses."""


ALONE = "alone"
DESTINATION = "destination"
ESCROW = "escrow"


class Scene:
    """One secret of one account, another account without a data key, and stale wrappings.

    Args:
        role: How the provider is listed: ``ALONE``, or beside a key file that made all wrappings,
            as the first, where they are to move to, or as ``ESCROW``.

    Attributes:
        backend: The provider's root key.
        providers: What is known of its calls.
        owner: The API key of the account that has the secret ``KEPT``.
        newcomer: That of the account without a data key.
        token: Of an injection of the secret, unused.
        terminal: The operator's.
    """

    def __init__(
        self, home: Path, backend: Backend, providers: Providers, role: str = ALONE
    ) -> None:
        self.backend = backend
        self.providers = providers
        clock = Clock()
        clock.now_ms = now_ms()  # which processes that start have: no life begins later than that
        self._deployment = Deployment(home, clock)
        databases.chosen.keep(home)
        self.terminal = Terminal(home)
        if role == ALONE:
            self._list(backend.keys, backend.escrow)
            self._populate()
            backend.rotate()
        else:
            self._populate_beside(role)
        self._base = self.rows()
        self._served: Services | None = None
        self._app = Application(self._current)
        self._started: list[Flask] = []

    def _populate(self) -> None:
        services = self.process()
        services.setup.initialise()
        tenant, newcomer = new_tenant(services), new_tenant(services)
        tenant.create("KEPT", KEPT)
        self.owner = tenant.key.token.reveal()
        self.newcomer = newcomer.key.token.reveal()
        self.token = _inject(tenant)

    def _populate_beside(self, role: str) -> None:
        key_file = self._deployment.key_file("keys")
        self._list(key_file, "")
        self._populate()
        if role == DESTINATION:
            self._list(f"{self.backend.keys} {key_file}", "")
        else:
            self._list(key_file, self.backend.keys)

    def _list(self, keys: str, escrow: str) -> None:
        """List these providers, for processes that start from now on."""
        self.terminal.environ["STRONGROOM_KEYS"] = keys
        self.terminal.environ["STRONGROOM_ESCROW_KEYS"] = escrow
        self._keyring = self._new_keyring()

    def process(self) -> Services:
        """A process that has opened no key yet, on connections to the provider that exist."""
        return self._deployment.process(keyring=self._keyring)

    def fresh(self) -> Services:
        """A process that has nothing of the others."""
        return self._deployment.process(keyring=self._new_keyring())

    def serving(self) -> Flask:
        """The application of a process that has opened the system data key and no other."""
        self._served = self.process()
        assert Client(self._app, self.owner).names() == ["KEPT"]
        return self._app

    def starting(self) -> Flask:
        """The application of a process that starts now."""
        app = create_app(load(self.terminal.environ))
        self._started.append(app)
        return app

    def age(self) -> None:
        """Let a month go by, after which data keys are replaced."""
        self._deployment.clock.advance(days=31)

    def rows(self) -> Snapshot:
        """The whole database."""
        return self._deployment.snapshot()

    def restore(self) -> None:
        """End what has started, and make the database as it was at first."""
        while self._started:
            self._started.pop().extensions[SERVICES]().close()
        self._deployment.restore(self._base)

    def watch(self) -> Watch:
        """All that nobody may see."""
        for name, secret in self.backend.secrets().items():
            self.providers.watch.keep_secret(name, secret)
        for token in (self.owner, self.newcomer, self.token):
            self.providers.watch.keep_secret("a token", token)
        for text in SYSTEM_TEXTS:
            self.providers.watch.keep_secret("the system's text", text)
        return self.providers.watch

    def close(self) -> None:
        self._deployment.close()

    def _new_keyring(self) -> Keyring:
        settings = load(self.terminal.environ)
        return create_keyring(
            settings.keys, settings.escrow_keys, concurrency=CONCURRENCY, files=Files()
        )

    def _current(self) -> Services:
        assert self._served is not None
        return self._served


def _inject(tenant: Tenant) -> str:
    """The token of an injection that outlives all trials."""
    secrets = {"KEPT": "KEPT"}
    made = tenant.services.injections.create(tenant.caller, secrets, 24 * 60 * 60, None)
    return made.token.reveal()
