"""Rows to store: whole, and different where a test says so."""

from dataclasses import replace
from typing import Any

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.access.scopes import ALL_SCOPES
from app.domain.data_keys import DataKeyRow, DataKeyState, Wrapping
from app.domain.guarded import Guarded, Mac
from app.domain.idempotency import StoredResponse
from app.domain.injections import BoundSecret, Injection, InjectionState, bind
from app.domain.operations.reencryption import Reencryption
from app.domain.operations.workers import Worker
from app.domain.secrets import SecretRef, StoredSecret
from app.repository.base import UnitOfWork
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


def grant() -> InjectionGrant:
    return InjectionGrant(injection(), api_key(), account())


def lock(work: UnitOfWork, secret_id: str) -> LockedSecret:
    found = work.secrets.lock(OURS, SecretRef.by_id(secret_id))
    assert found is not None
    return found
