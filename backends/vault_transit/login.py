"""Logs in to a Vault, in each way that the options of a URI can say."""

import re
from collections.abc import Mapping
from typing import Any

from hvac.api.auth_methods import AppRole as AppRoleApi
from hvac.api.auth_methods import Kubernetes as KubernetesApi
from hvac.api.auth_methods import Token as TokenApi

from backends.calls.bounded_http import BoundedHttp, Response
from backends.calls.deadline import Deadline
from backends.errors import KeyAccessDenied, KeyUnavailable
from backends.lifetime import age_seconds
from backends.vault_transit.caller import VaultCaller
from backends.vault_transit.responses import error_of, part_of, unintelligible
from backends.vault_transit.settings import AppRole, TokenFile, VaultSettings
from backends.vault_transit.token_keeper import Lease, TokenSource

_LONGEST_LIFE_SECONDS = 2**63 // 10**9  # Go's time.Duration, in which Vault counts, holds no more
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class Logins(TokenSource):
    """The ways to a token. The files that hold credentials are read at every login."""

    def __init__(self, settings: VaultSettings, http: BoundedHttp) -> None:
        self._settings = settings
        self._http = http

    def log_in(self, deadline: Deadline) -> Lease:
        """Log in as the options say."""
        login, since = self._settings.login, age_seconds()
        if isinstance(login, TokenFile):
            found = Lease(login.token.read(), seconds=0, renewable=False, since=since)
            return self._look_up(found, deadline)
        caller = VaultCaller(self._settings, self._http, deadline)
        if isinstance(login, AppRole):
            response = AppRoleApi(caller).login(
                login.role_id.read(),
                login.secret_id.read() if login.secret_id else None,
                use_token=False,
                mount_point=login.mount,
            )
        else:
            response = KubernetesApi(caller).login(
                login.role, login.jwt.read(), use_token=False, mount_point=login.mount
            )
        auth = self._accepted(response, "auth")
        return Lease(_token(auth), _seconds(auth, "lease_duration"), _is_renewable(auth), since)

    def renew(self, lease: Lease, deadline: Deadline) -> Lease:
        """Prolong it by ``renew-self``."""
        since = age_seconds()
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        auth = self._accepted(TokenApi(caller).renew_self(), "auth")
        return Lease(lease.token, _seconds(auth, "lease_duration"), _is_renewable(auth), since)

    def _look_up(self, lease: Lease, deadline: Deadline) -> Lease:
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        data = self._accepted(TokenApi(caller).lookup_self(), "data")
        return Lease(lease.token, _seconds(data, "ttl"), _is_renewable(data), lease.since)

    def _accepted(self, response: Response, part: str) -> Mapping[str, Any]:
        error = error_of(response)
        if error is not None and not isinstance(error, KeyUnavailable):
            looked_at = self._settings.login.looked_at
            raise KeyAccessDenied(
                f"{self._settings.setting}: Vault refuses the login. Look at {looked_at}."
            )
        return part_of(response, part)


def _token(auth: Mapping[str, Any]) -> str:
    if not isinstance(auth.get("client_token"), str) or not _TOKEN.fullmatch(auth["client_token"]):
        raise unintelligible()
    return str(auth["client_token"])


def _seconds(fields: Mapping[str, Any], name: str) -> int:
    seconds = fields.get(name)
    if not isinstance(seconds, int) or not 0 <= seconds <= _LONGEST_LIFE_SECONDS:
        raise unintelligible()
    return seconds


def _is_renewable(fields: Mapping[str, Any]) -> bool:
    return fields.get("renewable") is True
