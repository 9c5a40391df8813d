"""The server that the environment names, and the calls of its Secrets API that commands make."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from app.client.echo import repeats
from app.client.idle_connections import IdleConnections
from app.client.redeem import (
    UNAVAILABLE,
    Client,
    Fault,
    Proxy,
    Refused,
    RefusedByServer,
    credential_faults,
    explanation,
    gateway_variables,
    is_token,
    proxy_faults,
    proxy_for,
    redeem,
    server_faults,
    trim,
)

_Document = Mapping[str, Any]
Gateways = Mapping[str, tuple[str, str, Mapping[str, object]]]
_NO_GATEWAYS: Gateways = {}

_PAGE_SECRETS = 5000
_TOKEN_SECONDS = 60  # enough for a token that is redeemed at once
_ID = re.compile("[0-9A-Za-z_-]{1,128}")
_SECRET_ID = re.compile("sec_[0-9A-Za-z]{20,24}")
_NAME_CHARACTERS = 1024
_LAST_MS = 253_402_300_799_999  # the year 9999
_MISSING = 404
_MISSING_ROWS = frozenset({"secret_not_found", "secret_version_not_found"})
_WITHOUT_VERSIONS = (
    "the server at RUNLOOP_BASE_URL keeps no old values: "
    "it is an earlier version of Strongroom, or another server."
)


class Secret(NamedTuple):
    """A secret without its value. Times are Unix milliseconds."""

    id: str
    name: str
    create_time_ms: int
    update_time_ms: int


class Version(NamedTuple):
    """A version of a secret without its value. The time is in Unix milliseconds."""

    version: int
    create_time_ms: int
    created_by: str | None
    is_current: bool


class Server:
    """The server that RUNLOOP_BASE_URL names, and the API key in RUNLOOP_API_KEY.

    A long wait for it is announced on a terminal, unless ``silent``.
    """

    def __init__(self, environ: Mapping[str, str], *, silent: bool = False) -> None:
        self._silent = silent
        self._url = trim(environ.get("RUNLOOP_BASE_URL", ""))
        self._api_key = trim(environ.get("RUNLOOP_API_KEY", ""))
        self._proxy = proxy_for(self._url, environ)
        self._proxy_faults = proxy_faults(self._url, environ)

    def faults(self, *, allow_http: bool) -> list[Fault]:
        """Return the faults of the two variables, and of HTTPS_PROXY."""
        return [
            *server_faults(self._url, allow_http=allow_http),
            *self._proxy_faults,
            *credential_faults("RUNLOOP_API_KEY", self._api_key),
        ]

    def account(self, seconds: float, idle: IdleConnections | None = None) -> "Account":
        """Return the account of the API key. All calls together take at most ``seconds``.

        With ``idle`` it uses connections that stay open.
        """
        account = Account(self._url, self._api_key, seconds, self._proxy, idle)
        account.silent = self._silent
        return account

    def injection(self, token: str, seconds: float) -> Client:
        """Return a client that sends an injection's token."""
        client = Client(self._url, token, seconds, self._proxy)
        client.silent = self._silent
        return client

    def values(self, names: Mapping[str, str], remaining: Callable[[], float]) -> dict[str, str]:
        """Return the values by variable, through an injection that is made and redeemed here."""
        token = self.account(remaining()).create_injection(names, _TOKEN_SECONDS)
        values = redeem(self.injection(token, remaining()))
        if values.keys() != names.keys():
            text = "the server returned other variables than requested."
            raise Refused(Fault(text, UNAVAILABLE))
        return values

    def gateway_tokens(self, gateways: Gateways, remaining: Callable[[], float]) -> dict[str, str]:
        """Return gateway tokens and their URLs by variable, through an injection of their own."""
        token = self.account(remaining()).create_injection({}, _TOKEN_SECONDS, gateways)
        values = redeem(self.injection(token, remaining()))
        if values.keys() != {name for prefix in gateways for name in gateway_variables(prefix)}:
            text = "the server returned other variables than requested."
            raise Refused(Fault(text, UNAVAILABLE))
        return values


class Account(Client):
    """The account of an API key. Every call raises `Refused`.

    A server could repeat a value in the message of an error. Such a message is not shown.
    """

    _value = ""  # of the call that runs
    _code = ""  # of the server's last refusal

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout: float,
        proxy: Proxy | None = None,
        idle: IdleConnections | None = None,
    ) -> None:
        super().__init__(base_url, api_key, timeout, proxy)
        self._idle = idle

    @contextmanager
    def connection(self, timeout: float) -> Iterator[HTTPConnection]:
        """Yield a connection for one exchange, which stays open among the idle ones."""
        if self._idle is None:
            with super().connection(timeout) as connection:
                yield connection
        else:
            with self._idle.use(lambda: self.new_connection(timeout)) as connection:
                yield connection

    def secrets(self, limit: int) -> list[Secret]:
        """Return all secrets, without values, or stop once there are more than ``limit``."""
        query, found = {"limit": str(_PAGE_SECRETS)}, dict[str, Secret]()
        while True:
            page = self.call(f"/v1/secrets?{urlencode(query)}", _page)
            known = len(found)
            found |= {each.id: each for each in page.secrets}
            if len(found) < known + len(page.secrets):
                raise Refused(Fault("the server lists secrets twice.", UNAVAILABLE))
            if not page.has_more or len(found) > limit:
                return [*found.values()]
            query["starting_after"] = page.secrets[-1].id

    def get(self, name: str) -> Secret:
        """Return the secret of this name or id, without its value."""
        return self.call(_path(name), _secret)

    def create(self, name: str, value: str) -> Secret:
        """Create a secret. Refused if the name exists."""
        with self._sending(value):
            return self.call("/v1/secrets", _secret, {"name": name, "value": value})

    def update(self, name: str, value: str) -> Secret:
        """Replace the value of a secret."""
        with self._sending(value):
            return self.call(f"/v1/secrets/{quote(name, safe='')}", _secret, {"value": value})

    def put(self, name: str, value: str) -> bool:
        """Replace the value, or create the secret. Returns True if it was created."""
        if self._replace(name, value):
            return False
        try:
            self.create(name, value)
        except RefusedByServer:
            # Somebody else was faster, or the response to our first attempt was lost.
            if not self._replace(name, value):
                raise
        return True

    def _replace(self, name: str, value: str) -> bool:
        """Replace the value. Returns False if there is no such secret."""
        try:
            self.update(name, value)
        except RefusedByServer as refused:
            if refused.status != _MISSING:
                raise
            return False
        return True

    def delete(self, name: str) -> Secret:
        """Delete the secret of this name or id."""
        return self.call(f"{_path(name)}/delete", _secret, {})

    def versions(self, name: str) -> list[Version]:
        """Return the versions of the secret of this name or id, the current one first."""
        with self._may_be_unknown():
            return self.call(f"{_path(name)}/versions", _versions)

    def roll_back(self, name: str, version: int) -> int:
        """Make the value of an old version the current one. Returns the number of the new one."""
        with self._may_be_unknown():
            return self.call(f"{_path(name)}/rollback", _number, {"version": version})

    @contextmanager
    def _may_be_unknown(self) -> Iterator[None]:
        """Explain a path that the server does not have."""
        try:
            yield
        except RefusedByServer as refused:
            if refused.status != _MISSING or self._code in _MISSING_ROWS:
                raise
            raise RefusedByServer(_WITHOUT_VERSIONS, refused.status) from None

    def create_injection(
        self, names: Mapping[str, str], ttl_seconds: int, gateways: Gateways = _NO_GATEWAYS
    ) -> str:
        """Create an injection of the secrets by variable, and return its token.

        Args:
            gateways: A gateway config, a secret and terms for each gateway token, by prefix.
        """
        body: dict[str, object] = {"secrets": names, "ttl_seconds": ttl_seconds}
        if gateways:
            body["gateways"] = {
                prefix: {"gateway": config, "secret": secret, **terms}
                for prefix, (config, secret, terms) in gateways.items()
            }
        return self.call("/v1/injections", _token, body)

    def explain(self, status: int, document: _Document) -> str:
        """Make the server's error printable, without the value that was sent."""
        self._code = str(document.get("code"))
        if self._value and repeats(explanation(document), self._value):
            return f"the server responded with {status}, and its message repeats the value."
        return super().explain(status, document)

    @contextmanager
    def _sending(self, value: str) -> Iterator[None]:
        self._value = value
        try:
            yield
        finally:
            self._value = ""


def _versions(document: _Document) -> list[Version] | None:
    """Return the versions that the document lists, or None if it lists none."""
    rows = document.get("versions")
    if not isinstance(rows, list) or not rows:
        return None
    found = [each for row in rows if isinstance(row, dict) and (each := _version(row))]
    return found if len(found) == len(rows) else None


def _version(document: _Document) -> Version | None:
    number, created = _number(document), _time(document, "create_time_ms")
    author, is_current = document.get("created_by"), document.get("is_current")
    is_known = author is None or (isinstance(author, str) and _ID.fullmatch(author))
    if number is None or created is None or not is_known or not isinstance(is_current, bool):
        return None
    return Version(number, created, author, is_current)


def _number(document: _Document) -> int | None:
    number = document.get("version")
    return number if type(number) is int and number > 0 else None


class _Page(NamedTuple):
    secrets: list[Secret]
    has_more: bool


def _page(document: _Document) -> _Page | None:
    """Return a page of secrets, or None if the document is none."""
    rows, has_more = document.get("secrets"), document.get("has_more")
    if not (isinstance(rows, list) and isinstance(has_more, bool)):
        return None
    found = [secret for row in rows if isinstance(row, dict) and (secret := _secret(row))]
    is_whole = len(found) == len(rows) and (found or not has_more)
    return _Page(found, has_more) if is_whole else None


def _secret(document: _Document) -> Secret | None:
    """Return the secret that the document describes, or None if it describes none."""
    secret_id, name = document.get("id"), document.get("name")
    if not (isinstance(secret_id, str) and _ID.fullmatch(secret_id) and _is_name(name)):
        return None
    created, updated = _time(document, "create_time_ms"), _time(document, "update_time_ms")
    if created is None or updated is None:
        return None
    return Secret(secret_id, str(name), created, updated)


def _time(document: _Document, key: str) -> int | None:
    time = document.get(key)
    return time if type(time) is int and 0 <= time <= _LAST_MS else None


def _is_name(name: object) -> bool:
    """Return True for a text that cannot control a terminal or break a list of lines."""
    return isinstance(name, str) and 0 < len(name) <= _NAME_CHARACTERS and name.isprintable()


def _token(document: _Document) -> str | None:
    token: object = document.get("token")
    return str(token) if is_token(token) else None


def _path(name: str) -> str:
    """Return the path of a secret. No name may look like an id."""
    quoted = quote(name, safe="")
    return f"/v1/secrets/id/{quoted}" if _SECRET_ID.fullmatch(name) else f"/v1/secrets/{quoted}"
