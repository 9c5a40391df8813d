"""Rows to store: whole, and different where a test says so."""

from dataclasses import replace
from typing import Any

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.access.scopes import ALL_SCOPES
from app.domain.audit.events import AuditEvent
from app.domain.data_keys import DataKeyRow, DataKeyState, Wrapping
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import AuthMechanism, AuthType, dump_headers
from app.domain.gateways.keys import GatewayKey
from app.domain.gateways.tokens import GatewayToken, TokenLimits, TokenPin, TokenState
from app.domain.gateways.uses import GatewayUse
from app.domain.guarded import Guarded, GuardedField, Mac
from app.domain.idempotency import StoredResponse
from app.domain.injections import BoundSecret, Injection, InjectionState, bind
from app.domain.operations.reencryption import Reencryption
from app.domain.operations.workers import Worker
from app.domain.secret_versions import ArchivedVersion
from app.domain.secrets import SecretRef, StoredSecret
from app.repository.base import UnitOfWork
from app.repository.collections.gateways import GatewayGrant
from app.repository.collections.injections import InjectionGrant
from app.repository.collections.secrets import LockedSecret
from backends.provider import WrappedKey

OURS = "acct_ours"
THEIRS = "acct_theirs"
DATA_KEY = "dk_1"
KEY_REF = "local-fernet:1"
API_KEY = "key_1"
ANY_SIZE = 1_000_000

MAC = Mac("dk_system", b"\x01" + b"m" * 32)


def account(account_id: str = OURS, **changes: Any) -> Guarded[Account]:
    row = Account(id=account_id, name=f"account {account_id}", devbox=True, created_at_ms=1)
    return Guarded(replace(row, **changes), MAC)


def reencryption(started_ms: int) -> Guarded[Reencryption]:
    return Guarded(Reencryption(started_ms), MAC)


def worker(worker_id: str = "wkr_1", **changes: Any) -> Worker:
    row = Worker(
        id=worker_id,
        node="a-node/7",
        key_refs=(KEY_REF, "local-fernet:2"),
        opened_by=(KEY_REF,),
        fence_generation=0,
    )
    return replace(row, **changes)


def api_key(account_id: str = OURS, key_id: str = API_KEY, **changes: Any) -> Guarded[ApiKey]:
    row = ApiKey(
        account_id=account_id,
        id=key_id,
        name="a key",
        restricted=False,
        scopes=ALL_SCOPES,
        token_digest=b"t" * 32,
        created_at_ms=1,
        expires_at_ms=None,
        revoked_at_ms=None,
    )
    return Guarded(replace(row, **changes), MAC)


def data_key(
    account_id: str = OURS, data_key_id: str = DATA_KEY, **changes: Any
) -> Guarded[DataKeyRow]:
    row = DataKeyRow(
        account_id=account_id,
        id=data_key_id,
        state=DataKeyState.ACTIVE,
        check=b"c" * 32,
        created_at_ms=1,
    )
    return Guarded(replace(row, **changes), MAC)


def wrapping(
    account_id: str = OURS,
    data_key_id: str = DATA_KEY,
    root: str | None = None,
    **changes: Any,
) -> Guarded[Wrapping]:
    wrapped = WrappedKey(scheme="local-fernet", key_ref=KEY_REF, blob=b"wrapped")
    return Guarded(Wrapping(account_id, data_key_id, replace(wrapped, **changes), root), MAC)


def secret(number: int = 1, account_id: str = OURS, **changes: Any) -> StoredSecret:
    row = StoredSecret(
        account_id=account_id,
        id=f"sec_{number:04}",
        name=f"NAME_{number}",
        version=1,
        data_key_id=DATA_KEY,
        envelope=b"sealed %d" % number,
        create_time_ms=number,
        update_time_ms=number,
        mac_key_id=MAC.key_id,
        mac=MAC.tag,
    )
    return row._replace(**changes)


def old_version(number: int = 1, account_id: str = OURS, **changes: Any) -> ArchivedVersion:
    row = ArchivedVersion(
        account_id=account_id,
        secret_id=f"sec_{number:04}",
        version=1,
        data_key_id=DATA_KEY,
        created_at_ms=number,
        replaced_at_ms=number + 1,
        replaced_by=API_KEY,
        archived=b"archived %d" % number,
    )
    return replace(row, **changes)


def stored_response(request_id: str = "request", **changes: Any) -> StoredResponse:
    row = StoredResponse(
        account_id=OURS,
        api_key_id=API_KEY,
        request_id=request_id,
        digest=b"d" * 32,
        data_key_id="dk_system",
        response=b"",
        expires_at_ms=1000,
    )
    return replace(row, **changes)


def injection(number: int = 1, account_id: str = OURS, **changes: Any) -> Guarded[Injection]:
    row = Injection(
        account_id=account_id,
        id=f"inj_{number:04}",
        api_key_id=API_KEY,
        bound=bind([BoundSecret("DB_PASS", "sec_0001", "NAME_1")]),
        token_digest=b"t" * 32,
        state=InjectionState.PENDING,
        created_at_ms=1,
        expires_at_ms=1000,
    )
    return Guarded(replace(row, **changes), MAC)


def gateway_config(
    number: int = 1, account_id: str = OURS, **changes: Any
) -> Guarded[GatewayConfig]:
    row = GatewayConfig(
        account_id=account_id,
        id=f"gwc_{number:04}",
        name=f"config {number}",
        description=None,
        endpoint="https://api.example.com",
        auth=AuthMechanism(AuthType.BEARER),
        custom_headers=dump_headers([]),
        allow=None,
        deny=None,
        secrets=None,
        deny_query=(),
        scrub=True,
        version=1,
        created_at_ms=1,
        updated_at_ms=1,
    )
    return Guarded(replace(row, **changes), MAC)


def gateway_token(number: int = 1, account_id: str = OURS, **changes: Any) -> Guarded[GatewayToken]:
    row = GatewayToken(
        account_id=account_id,
        id=f"gwt_{number:04}",
        api_key_id=API_KEY,
        injection_id=None,
        config_id="gwc_0001",
        pinned=b"p" * 32,
        secret_id="sec_0001",
        secret_name="NAME_1",
        devbox_id="dbx_1",
        token_digest=b"t" * 32,
        allow=None,
        limits=TokenLimits(),
        sources=(),
        pin=TokenPin.NONE,
        pinned_address=None,
        state=TokenState.LIVE,
        used=0,
        created_at_ms=1,
        expires_at_ms=1000,
        revoked_at_ms=None,
    )
    return Guarded(replace(row, **changes), MAC)


def gateway_use(number: int = 1, account_id: str = OURS, **changes: Any) -> Guarded[GatewayUse]:
    row = GatewayUse(
        account_id=account_id,
        id=f"gwu_{number:04}",
        token_id="gwt_0001",
        config_id="gwc_0001",
        secret_id="sec_0001",
        method="POST",
        path="/v1/messages",
        address="192.0.2.1",
        created_at_ms=number,
    )
    return Guarded(replace(row, **changes), MAC)


def gateway_key(number: int = 1, **changes: Any) -> Guarded[GatewayKey]:
    row = GatewayKey(
        id=f"gwk_{number:04}", name=f"key {number}", token_digest=b"t" * 32, created_at_ms=1
    )
    return Guarded(replace(row, **changes), MAC)


def audit_event(
    event_id: str = "aud_0001", account_id: str = OURS, **changes: Any
) -> Guarded[AuditEvent]:
    row = AuditEvent(
        account_id=account_id,
        id=event_id,
        lane=1,
        n=1,
        at_ms=1,
        actor=API_KEY,
        issuers=(),
        action="secret.created",
        outcome="done",
        subjects=("sec_0001@1",),
        details=None,
        address=None,
        request_id=None,
    )
    return Guarded(replace(row, **changes), MAC)


def columns_of(row: Guarded[Any]) -> dict[str, GuardedField]:
    """The columns of a row and of its MAC."""
    columns: dict[str, GuardedField] = row.unverified.columns()
    return {**columns, "mac_key_id": row.mac.key_id, "mac": row.mac.tag}


def gateway_grant() -> GatewayGrant:
    return GatewayGrant(gateway_token(), api_key(), account(), gateway_config())


def grant() -> InjectionGrant:
    return InjectionGrant(injection(), api_key(), account())


def lock(work: UnitOfWork, secret_id: str) -> LockedSecret:
    found = work.secrets.lock(OURS, SecretRef.by_id(secret_id))
    assert found is not None
    return found
