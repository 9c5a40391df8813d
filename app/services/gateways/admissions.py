"""Admission: the decision for one request that a gateway asks to carry.

Everything is decided and opened before anything is written, and the use is written before the
credential is released:

1. Read the grant of the token: each row must be what this server wrote, and must hold now.
2. Judge the request by the rules of config and token, and by its rate and budget.
3. Read the secrets and open them, through a key provider if need be.
4. In one transaction: look at the token again, count the request, and add the row of the use.

Nothing is remembered for the next request. So a provider or a database that is down admits nothing,
and a revocation, a new value or a deleted secret counts from the next request on.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.audit.actions import Action
from app.domain.audit.actors import NamedActor
from app.domain.errors import RateLimited
from app.domain.gateways.admissions import AdmissionRequest, Admitted
from app.domain.gateways.origins import Endpoint
from app.domain.gateways.refusals import (
    AdmissionRefused,
    BudgetSpent,
    CredentialInQuery,
    GatewayMismatch,
    RequestNotAllowed,
    SourceRefused,
    TokenRefused,
)
from app.domain.gateways.rules import permits, refuses
from app.domain.gateways.targets import AmbiguousPath, parse_target
from app.domain.gateways.tokens import (
    DEFAULT_IN_FLIGHT,
    GATEWAY_TOKENS,
    GatewayToken,
    TokenPin,
)
from app.domain.gateways.uses import GatewayUse
from app.domain.ids import GATEWAY_USE, new_id
from app.rates.rate_limits import RateLimits, RequestsAMinute
from app.repository.base import Database
from app.services.audit.trail import AuditTrail, versioned
from app.services.clock import Clock
from app.services.gateways.credentials import (
    ClosedCredential,
    Credential,
    open_credential,
    read_credential,
)
from app.services.gateways.grants import Grant, Grants, require_live
from app.services.gateways.switch import require_started
from app.services.gateways.uses import handle_of
from app.services.keys.data_keys import DataKeys
from app.services.keys.system_key import SystemKey

_LOG = logging.getLogger("strongroom.gateway")


@dataclass(slots=True)
class _Event:
    """One admission in the log, refused or not. It names ids only."""

    ids: dict[str, object] = field(default_factory=dict)

    def write(self, level: int, name: str, **more: object) -> None:
        """Write it to the log."""
        _LOG.log(level, name, extra=self.ids | more)


@dataclass(eq=False, repr=False)
class Admissions:
    """Admits requests of gateways.

    Attributes:
        _own: Returns our own servers.
    """

    _database: Database
    _data_keys: DataKeys
    _system_key: SystemKey
    _clock: Clock
    _grants: Grants
    _rate_limits: RateLimits
    _is_private: bool
    _own: Callable[[], frozenset[Endpoint]]
    _trail: AuditTrail

    def admit(self, request: AdmissionRequest, request_id: str | None = None) -> Admitted:
        """Return the permission for one request, and the credential for it.

        Args:
            request_id: The server's own id of the request for admission.

        Raises:
            AdmissionRefused: The request must not be carried.
            AmbiguousPath: Servers would disagree on which path it names.
            RateLimited: The token is over its requests a minute.
            KeyProviderError: A data key could not be opened; nothing is counted.
        """
        with _logged() as event:
            named = GATEWAY_TOKENS.parse(request.token.reveal())
            if named is None:
                raise TokenRefused
            event.ids |= {"account_id": named.account_id, "gateway_token_id": named.row_id}
            opened = self._system_key.opened()
            digest = opened.digest(Purpose.GATEWAY_TOKEN, request.token.reveal().encode())
            name = (named.account_id, named.row_id)
            with self._database.reading() as repository:
                require_started(repository)
                grant = self._grants.find(repository, opened, name, request.address, digest)
                event.ids["gateway_config_id"] = grant.config.id
                _judge(grant, request)
                self._count(grant.token)
                closed = read_credential(repository, grant)
            credential = open_credential(self._data_keys, closed)
            use = self._record(opened, closed, request, request_id)
            event.ids |= {"gateway_use_id": use.id, "secret_ids": [use.secret_id]}
            return self._admitted(grant, use, credential)

    def _count(self, token: GatewayToken) -> None:
        """Refuse a token that is over a limit; the count in all is decided with the use."""
        if token.limits.requests_per_minute is not None:
            rate = RequestsAMinute(token.limits.requests_per_minute)
            name = f"gateway-token/{token.account_id}/{token.id}"
            self._rate_limits.require("gateway token", name, rate)
        _require_budget(token)

    def _record(
        self,
        opened: OpenedSystemKey,
        closed: ClosedCredential,
        request: AdmissionRequest,
        request_id: str | None,
    ) -> GatewayUse:
        """Count the request and add its use, unless the token has ended in the meantime."""
        grant = closed.grant
        account_id, token_id = grant.token.account_id, grant.token.id
        with self._database.writing() as work:
            now_ms = self._clock()
            stored = work.gateway_tokens.get(account_id, token_id)
            if stored is None:
                raise TokenRefused
            token = opened.verify(stored)
            if (token.account_id, token.id) != (account_id, token_id):
                raise TokenRefused
            require_live(token, now_ms)
            _require_budget(token)
            if not token.accepts(request.address):
                raise SourceRefused
            counted = _counted(token, request.address)
            if counted != token:
                work.gateway_tokens.replace(opened.guard(counted))
            use = _use(grant, request, now_ms)
            work.gateway_uses.add(opened.guard(use))
            self._trail.commit(
                work,
                opened,
                Action.GATEWAY_ADMITTED,
                *(use.id, token_id, use.config_id),
                *(versioned(each.id, each.version) for each in closed.sealed.secrets),
                account_id=account_id,
                by=NamedActor(token.api_key_id, grant.issuers, use.address, request_id),
                at_ms=now_ms,
            )
        return use

    def _admitted(self, grant: Grant, use: GatewayUse, credential: Credential) -> Admitted:
        token, config, _ = grant
        return Admitted(
            use=handle_of(use),
            origin=config.origin,
            headers=credential.headers,
            needles=credential.needles,
            scrub=config.scrub,
            in_flight=token.limits.in_flight or DEFAULT_IN_FLIGHT,
            is_strict=_is_fenced(grant),
            is_private=self._is_private,
            config_id=config.id,
            token_id=token.id,
            own=self._own(),
        )


@contextmanager
def _logged() -> Iterator[_Event]:
    """Log the outcome of the admission in the ``with`` block."""
    event = _Event()
    try:
        yield event
    except AdmissionRefused as refusal:
        event.write(logging.WARNING, "gateway_refused", code=refusal.code)
        raise
    except (AmbiguousPath, RateLimited) as refusal:
        event.write(logging.WARNING, "gateway_refused", exception=type(refusal).__name__)
        raise
    except Exception as error:
        event.write(logging.WARNING, "gateway_failed", exception=type(error).__name__)
        raise
    event.write(logging.INFO, "gateway_admitted")


def _judge(grant: Grant, request: AdmissionRequest) -> None:
    """Refuse a request that config or token do not permit.

    The path is parsed again: only its one canonical form may be judged, and that is what is sent.
    """
    token, config, _ = grant
    if request.config_id is not None and request.config_id != config.id:
        raise GatewayMismatch
    target = parse_target(request.path)
    if target.path != request.path or target.query is not None:
        raise AmbiguousPath("is not in its canonical form")
    if _is_fenced(grant) and not target.is_strict:
        raise AmbiguousPath("holds an encoded slash, an empty segment or a semicolon")
    for rules in (config.allowed, token.allowed):
        if rules is not None and not permits(rules, request.method, target.path):
            raise RequestNotAllowed
    if refuses(config.denied, request.method, target.path):
        raise RequestNotAllowed
    denied = {name.lower() for name in config.deny_query}
    if any(name.lower() in denied for name in request.query_names):
        raise CredentialInQuery


def _is_fenced(grant: Grant) -> bool:
    """Return True if the path must have one reading: rules judge it, or it is below a base path."""
    token, config, _ = grant
    return bool(config.allow or config.deny or token.allow or config.origin.base)


def _require_budget(token: GatewayToken) -> None:
    limit = token.limits.requests
    if limit is not None and token.used >= limit:
        raise BudgetSpent


def _counted(token: GatewayToken, address: str | None) -> GatewayToken:
    """Return the token after one more request: counted, and pinned, where its limits say so."""
    if token.limits.requests is not None:
        token = replace(token, used=token.used + 1)
    if token.pin is TokenPin.FIRST_USE and token.pinned_address is None:
        if address is None:
            raise SourceRefused
        token = replace(token, pinned_address=address)
    return token


def _use(grant: Grant, request: AdmissionRequest, now_ms: int) -> GatewayUse:
    return GatewayUse(
        account_id=grant.token.account_id,
        id=new_id(GATEWAY_USE),
        token_id=grant.token.id,
        config_id=grant.config.id,
        secret_id=grant.token.secret_id,
        method=request.method,
        path=request.path,
        address=request.address,
        created_at_ms=now_ms,
    )
