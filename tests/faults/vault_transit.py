"""``vault-transit``: a real OpenBao, behind a proxy that fails as networks do."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from re import Match
from typing import ClassVar

import pytest

from backends.errors import (
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
)
from backends.vault_transit import caller as vault_caller
from backends.vault_transit import connection
from tests.faults.fault import (
    DOES_NOT_OPEN,
    NOT_PROVED,
    SYSTEM_KEY_UNREADABLE,
    Backend,
    Failure,
    Fault,
    Never,
)
from tests.faults.planted import PLANTED, others_key, short_key
from tests.faults.resolver import unknown
from tests.support import faulty_proxy
from tests.support.faulty_proxy import FaultyProxy
from tests.support.openbao import OpenBao, least_privilege

CALL_SECONDS = 0.3
VENDOR_TEXT = "canary of a vault, which sings"
HOST = "localhost"

LOGIN_REFUSED = Failure(KeyAccessDenied, "Vault refuses the login.")


def on_the_way(
    fault: faulty_proxy.Fault,
    words: str,
    error: type[KeyProviderError] = KeyUnavailable,
    starting: Failure | None = None,
) -> Fault:
    """Something on the way to Vault fails, or answers in its place."""
    return Fault(
        lambda backend: backend.proxy.failing(fault), Failure(error, words), starting=starting
    )


def answering(status: int, **headers: str) -> faulty_proxy.Fault:
    return faulty_proxy.answer(status, {"errors": [VENDOR_TEXT]}, **headers)


def plaintexts(
    make: Callable[[], bytes],
    opening: Failure,
    making: Failure | None = None,
    starting: Failure | None = None,
) -> Fault:
    """Vault answers as it should, with other plaintexts, which are as long in base64."""

    def change(_: Match[bytes]) -> bytes:
        return b'"plaintext":"%s"' % base64.b64encode(make())

    changing = faulty_proxy.substitute(rb'"plaintext":"[^"]*"', change)
    return Fault(lambda backend: backend.proxy.failing(changing), opening, making, starting)


class VaultTransitBackend(Backend):
    """One transit key, and a token with the least privilege for it.

    Attributes:
        proxy: The way to it.
    """

    faults: ClassVar[Mapping[str, Fault | Never]] = {
        "refused": Fault(
            lambda backend: backend.proxy.refusing(),
            Failure(KeyUnavailable, "Vault could not be asked. The connection failed."),
        ),
        "unknown-host": Fault(
            lambda backend: backend.unknown_host(),
            Failure(KeyUnavailable, "Vault could not be asked. The connection failed."),
        ),
        "time-out": Fault(
            lambda backend: backend.hanging(),
            Failure(KeyUnavailable, "Vault could not be asked. It took too long."),
        ),
        "4xx": on_the_way(
            answering(400),
            "Vault does not accept this request.",
            KeyProviderError,
            starting=LOGIN_REFUSED,
        ),
        "5xx": on_the_way(answering(500), "Vault failed."),
        "throttled": on_the_way(answering(429, **{"Retry-After": "7"}), "Vault is throttling."),
        "sealed": Fault(
            lambda backend: backend.sealed(),
            Failure(KeyUnavailable, "Vault is sealed or in maintenance."),
        ),
        "denied": Fault(
            lambda backend: backend.denied(),
            Failure(
                KeyAccessDenied,
                "Vault denies this call: the token is not valid, or its policy does not allow it.",
            ),
        ),
        "disabled": Fault(
            lambda backend: backend.soft_deleted(),
            Failure(KeyDisabled, "The transit key is soft-deleted."),
        ),
        "truncated": on_the_way(
            faulty_proxy.truncate(300),
            "Vault could not be asked. The answer was cut off or is not JSON.",
        ),
        "wrong-length": plaintexts(
            short_key, Failure(KeyUnavailable, "Vault's answer is not of the known form.")
        ),
        "others-key": plaintexts(others_key, DOES_NOT_OPEN, NOT_PROVED, SYSTEM_KEY_UNREADABLE),
    }
    libraries: ClassVar[tuple[str, ...]] = ("urllib3", "requests", "hvac")

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Vault is asked again sooner than by a server."""
        patch = pytest.MonkeyPatch()
        request.addfinalizer(patch.undo)
        patch.setattr(vault_caller, "_RETRY_PAUSES", (0.01, 0.01))
        self._server: OpenBao = request.getfixturevalue("openbao")
        self.proxy = FaultyProxy(self._server.host)
        request.addfinalizer(self.proxy.close)
        self._key = self._server.make_key()
        self._token = self._server.token(self._key)
        paths: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        token_file = paths.mktemp("vault") / "token"
        token_file.write_text(self._token)
        token_file.chmod(0o600)
        address = f"http://{HOST}:{self.proxy.host.rpartition(':')[2]}"
        self.keys = f"vault-transit:{address}/transit/{self._key}?token_file={token_file}"

    def secrets(self) -> Mapping[str, str | bytes]:
        return {
            "the vendor's text": VENDOR_TEXT,
            "the vendor's denial": "permission denied",
            "a token": self._token,
            **PLANTED,
        }

    def rotate(self) -> None:
        self._server.api("POST", f"transit/keys/{self._key}/rotate")

    @contextmanager
    def unknown_host(self) -> Iterator[None]:
        with unknown(HOST), self.proxy.failing(faulty_proxy.relay):  # which cuts what is open
            yield

    @contextmanager
    def hanging(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, self.proxy.failing(faulty_proxy.hang):
            patch.setattr(connection, "CALL_SECONDS", CALL_SECONDS)
            yield

    @contextmanager
    def sealed(self) -> Iterator[None]:
        self._server.seal()
        try:
            yield
        finally:
            self._server.unseal()

    @contextmanager
    def denied(self) -> Iterator[None]:
        self._server.forbid(self._key)
        try:
            yield
        finally:
            self._server.allow(self._key, least_privilege("transit", self._key))

    @contextmanager
    def soft_deleted(self) -> Iterator[None]:
        path = f"transit/keys/{self._key}"
        self._server.api("DELETE", f"{path}/soft-delete")
        try:
            yield
        finally:
            self._server.api("POST", f"{path}/soft-delete-restore")
