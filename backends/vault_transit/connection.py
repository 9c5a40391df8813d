"""Connections of one process to a Vault: requests with a token, of a key that is fit for them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hvac.api.secrets_engines import Transit

from backends.calls.bounded_http import BoundedHttp, Response
from backends.calls.deadline import Deadline
from backends.calls.request_deadline import seconds_remaining
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

Request = Callable[[Transit, Mapping[str, str]], Response]
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
        return part_of(self._ask_checked(request), "data")

    def ask_many(self, request: Request, count: int) -> list[Mapping[str, Any] | KeyProviderError]:
        """Make one request with a batch of ``count`` items.

        Raises:
            KeyProviderError: The batch was refused as a whole.
        """
        return batch_results(self._ask_checked(request), count)

    def newest_version(self) -> str:
        """Read the key; its newest version.

        Raises:
            KeyProviderError: There is none, or it cannot serve.
        """
        return self._read_key(Deadline(seconds_remaining(CALL_SECONDS)))

    def prepare(self, seconds: float) -> bool:
        """Log in where there is no token. Returns whether there is one after so long."""
        return self._keeper.prepare(Deadline(seconds))

    def close(self) -> None:
        """Let go of connections and the thread."""
        self._keeper.close()
        self._http.close()

    def _ask_checked(self, request: Request) -> Response:
        deadline = Deadline(seconds_remaining(CALL_SECONDS))
        # Encrypting under a key that does not exist creates it, and one that is not derived
        # ignores the context: neither may happen to a key that was put in place of ours.
        if age_seconds() >= self._checked_until:
            self._read_key(deadline)
        response = self._ask_with_token(request, deadline)
        if isinstance(error_of(response), KeyAccessDenied):
            self._read_key(deadline)  # it may be gone: encrypting then needs the right to create
        return response

    def _read_key(self, deadline: Deadline) -> str:
        self._checked_until = 0.0
        response = self._ask_with_token(lambda transit, at: transit.read_key(**at), deadline)
        key = part_of(response, "data")
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

    def _ask_with_token(self, request: Request, deadline: Deadline) -> Response:
        """Ask with the token in use, and once more with a new one when it is refused."""
        lease = self._keeper.lease(deadline)
        response = self._ask_once(lease, request, deadline)
        if not isinstance(error_of(response), KeyAccessDenied):
            return response
        other = self._keeper.replace(lease, deadline)
        if other is lease:
            return response
        response = self._ask_once(other, request, deadline)
        if isinstance(error_of(response), KeyAccessDenied):
            self._keeper.replacing_did_not_help()
        return response

    def _ask_once(self, lease: Lease, request: Request, deadline: Deadline) -> Response:
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        return request(Transit(caller), self._at)
