"""Connections of one process to a Vault: requests with a token, of a key that is fit for them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hvac.api.secrets_engines import Transit

from backends.calls.bounded_http import Answer, BoundedHttp
from backends.calls.deadline import Deadline
from backends.calls.request_deadline import seconds_left
from backends.errors import KeyAccessDenied, KeyDisabled, KeyProviderConfigError, KeyProviderError
from backends.lifetime import age_seconds
from backends.vault_transit.caller import VaultCaller
from backends.vault_transit.login import Logins
from backends.vault_transit.responses import (
    VERSION,
    batch_results,
    error_of,
    part_of,
    unintelligible,
)
from backends.vault_transit.settings import VaultSettings
from backends.vault_transit.token_keeper import Lease, TokenKeeper

CALL_SECONDS = 2.8  # less than the keyring's 3, so that what failed is said in our words

_KEY_CHECK_SECONDS = 60.0

Request = Callable[[Transit, Mapping[str, str]], Answer]
"""Makes one request of a transit key; the mapping names the key and its mount, as hvac does."""


class Vault:
    """One process's connections to a Vault, its token, and what it knows of the key."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._http = BoundedHttp(settings.pool_size, settings.ca_file)
        self._keeper = TokenKeeper(Logins(settings, self._http))
        self._at = {"name": settings.key, "mount_point": settings.mount}
        self._checked_until = 0.0

    def ask(self, request: Request) -> Mapping[str, Any]:
        """Make one request of a key that is fit for it.

        Raises:
            KeyProviderError: In our words, whatever Vault says.
        """
        return part_of(self._checked_answer(request), "data")

    def ask_many(self, request: Request, count: int) -> list[Mapping[str, Any] | KeyProviderError]:
        """Make one request with a batch of ``count`` items.

        Raises:
            KeyProviderError: The batch was refused as a whole.
        """
        return batch_results(self._checked_answer(request), count)

    def newest_version(self) -> str:
        """Read the key; its newest version.

        Raises:
            KeyProviderError: There is none, or it cannot serve.
        """
        return self._read_key(Deadline(seconds_left(CALL_SECONDS)))

    def prepare(self, seconds: float) -> bool:
        """Log in where there is no token. Returns whether there is one after so long."""
        return self._keeper.prepare(Deadline(seconds))

    def close(self) -> None:
        """Let go of connections and the thread."""
        self._keeper.close()
        self._http.close()

    def _checked_answer(self, request: Request) -> Answer:
        deadline = Deadline(seconds_left(CALL_SECONDS))
        # Encrypting under a key that does not exist creates it, and one that is not derived
        # ignores the context: neither may happen to a key that was put in place of ours.
        if age_seconds() >= self._checked_until:
            self._read_key(deadline)
        answer = self._answer(request, deadline)
        if isinstance(error_of(answer), KeyAccessDenied):
            self._read_key(deadline)  # it may be gone: encrypting then needs the right to create
        return answer

    def _read_key(self, deadline: Deadline) -> str:
        self._checked_until = 0.0
        answer = self._answer(lambda transit, at: transit.read_key(**at), deadline)
        key = part_of(answer, "data")
        if key.get("derived") is not True or key.get("supports_encryption") is not True:
            raise KeyProviderConfigError(
                f"{self._settings.setting}: the transit key must be of a type that encrypts, and"
                " made with derived=true."
            )
        if key.get("soft_deleted"):
            raise KeyDisabled("The transit key is soft-deleted.")
        version = str(key.get("latest_version"))
        if not re.fullmatch(VERSION, version):
            raise unintelligible()
        self._checked_until = age_seconds() + _KEY_CHECK_SECONDS
        return version

    def _answer(self, request: Request, deadline: Deadline) -> Answer:
        """Ask with the token in use, and once more with a new one when it is refused."""
        lease = self._keeper.lease(deadline)
        answer = self._answer_to(lease, request, deadline)
        if not isinstance(error_of(answer), KeyAccessDenied):
            return answer
        other = self._keeper.replace(lease, deadline)
        if other is lease:
            return answer
        answer = self._answer_to(other, request, deadline)
        if isinstance(error_of(answer), KeyAccessDenied):
            self._keeper.replacing_did_not_help()
        return answer

    def _answer_to(self, lease: Lease, request: Request, deadline: Deadline) -> Answer:
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        return request(Transit(caller), self._at)
