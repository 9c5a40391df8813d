"""Idempotency: a POST with the same request id has its effect once.

The response of a request is stored in the transaction of its write. Its row is inserted before the
write, so a retry that overlaps the first request waits for it and then gets its response. Neither
the request nor its value is stored: only a keyed hash of the request, and the response sealed under
the system data key.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from app.crypto.envelope import open_envelope, seal
from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import Caller
from app.domain.audit.actions import Action
from app.domain.errors import RequestIdReused, RequestIdUnusable, TamperedRow
from app.domain.idempotency import RetryKey, StoredResponse
from app.domain.life import is_within
from app.repository.base import Database, UnitOfWork
from app.services.audit.trail import NO_DETAILS, AuditTrail, Details, Unrecorded
from app.services.clock import Clock, Reading, SteadyClock
from app.services.keys.pauses import Pauses
from app.services.keys.system_key import SystemKey
from backends.context import encode_context

RESPONSE_TTL_MS = 60 * 60 * 1000
"""The life of a stored response. Where the clock was set, a retry is refused rather than done
twice: a response is repeated within its hour, and deleted when that is over by every clock."""

DELETED_AT_ONCE = 100
"""The limit on expired responses that a write deletes; the sweep deletes the others."""

DELETION_PAUSE_MS = 100
"""The time after such a write in which others of the account delete none, in milliseconds."""

T = TypeVar("T")

_KIND_STORED_RESPONSE = 3


class StoredResponseContext(NamedTuple):
    """The request whose stored response an envelope holds, for its idempotent retries."""

    # Spelled out for each kind of context: the order of the fields is a released format.
    deployment_id: str
    account_id: str
    api_key_id: str
    request_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 3."""
        return encode_context(_KIND_STORED_RESPONSE, *self)


@dataclass(frozen=True, slots=True)
class ResponseFormat(Generic[T]):
    """The stored form of one kind of response: a pair of functions, each the other's inverse."""

    dump: Callable[[T], str]
    load: Callable[[str], T]


class Attempt(Generic[T]):
    """One attempt at a write, in a unit of work of its own.

    Attributes:
        work: The unit of work.
        system_key: The opened system data key.
        now_ms: The time after waiting for other writers, in Unix milliseconds.
        response: The response of an earlier attempt; ``None`` if the write is to be done.
    """

    def __init__(
        self,
        work: UnitOfWork,
        system_key: OpenedSystemKey,
        now: Reading,
        formatted: ResponseFormat[T],
        deletions: Pauses,
        caller: Caller,
        trail: AuditTrail,
    ) -> None:
        self.work = work
        self.system_key = system_key
        self.now_ms = now.now_ms
        self.response: T | None = None
        self._earliest_ms = now.earliest_ms
        self._format = formatted
        self._deletions = deletions
        self._caller = caller
        self._trail = trail
        self._claimed: StoredResponse | None = None

    def claim(self, request_id: str, digest: bytes) -> None:
        """Insert the row of the response, or load the response of an earlier attempt."""
        claimed = StoredResponse(
            account_id=self._caller.account_id,
            api_key_id=self._caller.api_key_id,
            request_id=request_id,
            digest=digest,
            data_key_id=self.system_key.context.data_key_id,
            response=b"",
            expires_at_ms=self.now_ms + RESPONSE_TTL_MS,
        )
        if self.work.stored_responses.claim(claimed, self._earliest_ms):
            self._claimed = claimed
            return
        stored = _stored(self.work, claimed)
        if not is_within(stored.expires_at_ms - RESPONSE_TTL_MS, stored.expires_at_ms, self.now_ms):
            raise RequestIdUnusable  # its hour is over by one clock only, or in the future
        self.response = self._format.load(_opened(self.system_key, stored).decode())

    def commit(
        self, response: T, action: Action, *subjects: str, details: Details = NO_DETAILS
    ) -> T:
        """Store the response, record what was done, and commit. Returns the response.

        Args:
            subjects: The ids of what it is about, as in ``AuditTrail.commit``.
        """
        self._store(response)
        self._trail.commit(
            self.work,
            self.system_key,
            action,
            *subjects,
            account_id=self._caller.account_id,
            by=self._caller,
            details=details,
            at_ms=self.now_ms,
        )
        return response

    def commit_unchanged(self, response: T) -> T:
        """Store the response to a request that changed nothing. Returns the response."""
        self._store(response)
        self._trail.commit_unrecorded(self.work, Unrecorded.NOTHING_CHANGED)
        return response

    def _store(self, response: T) -> None:
        claimed = self._claimed
        if claimed is not None:
            plaintext = _bound_to(claimed) + self._format.dump(response).encode()
            sealed = seal(self.system_key.key, plaintext, _context(self.system_key, claimed))
            self.work.stored_responses.finish(replace(claimed, response=sealed))
            self._delete_expired(claimed.account_id)

    def _delete_expired(self, account_id: str) -> None:
        """Delete expired responses of the account, unless a write just did."""
        if self._deletions.lasts(account_id):
            return
        self.work.stored_responses.delete_expired(account_id, self._earliest_ms, DELETED_AT_ONCE)
        self._deletions.begin(account_id)


class Idempotency:
    """Lets a write happen once for each request id of an API key.

    Args:
        age_ms: Milliseconds that never go back.
    """

    def __init__(
        self,
        database: Database,
        system_key: SystemKey,
        clock: SteadyClock,
        age_ms: Clock,
        trail: AuditTrail,
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock
        self._deletions = Pauses(age_ms, DELETION_PAUSE_MS)
        self._trail = trail

    @contextmanager
    def attempt(
        self, caller: Caller, retry: RetryKey | None, responses: ResponseFormat[T]
    ) -> Iterator[Attempt[T]]:
        """Begin an attempt. Leaving the block without ``commit`` undoes it and stores nothing.

        Args:
            retry: Recognises a retry; ``None`` when the client sent no request id.
            responses: The stored form of the response.

        Raises:
            RequestIdReused: The request id came before, with another request.
            RequestIdUnusable: It came before, and it is not certain that its hour lasts.
        """
        # Before the transaction: a process may need its provider for the system key.
        system_key = self._system_key.opened()
        digest = b"" if retry is None else system_key.digest(Purpose.REQUEST, retry.request)
        with self._database.writing() as work:
            now = self._clock.read()
            attempt = Attempt(
                work, system_key, now, responses, self._deletions, caller, self._trail
            )
            if retry is not None:
                attempt.claim(retry.request_id, digest)
            yield attempt


def _stored(work: UnitOfWork, claimed: StoredResponse) -> StoredResponse:
    stored = work.stored_responses.get(claimed.account_id, claimed.api_key_id, claimed.request_id)
    if stored is None or stored.data_key_id != claimed.data_key_id:
        raise TamperedRow("stored_responses")
    if stored.digest != claimed.digest:
        raise RequestIdReused
    return stored


def _opened(system_key: OpenedSystemKey, stored: StoredResponse) -> bytes:
    context = _context(system_key, stored)
    plaintext = bytes(open_envelope(system_key.key, stored.response, context))
    bound = _bound_to(stored)
    if not plaintext.startswith(stored.digest):
        raise TamperedRow("stored_responses")
    own_end_ms = int.from_bytes(plaintext[len(stored.digest) : len(bound)], "big", signed=True)
    if own_end_ms > stored.expires_at_ms:  # the sweep gave it an earlier end
        raise RequestIdUnusable
    if own_end_ms < stored.expires_at_ms:
        raise TamperedRow("stored_responses")
    return plaintext[len(bound) :]


def _bound_to(stored: StoredResponse) -> bytes:
    """The columns that name the request and the end of the response, 40 bytes."""
    return stored.digest + stored.expires_at_ms.to_bytes(8, "big", signed=True)


def _context(system_key: OpenedSystemKey, stored: StoredResponse) -> bytes:
    return StoredResponseContext(
        deployment_id=system_key.context.deployment_id,
        account_id=stored.account_id,
        api_key_id=stored.api_key_id,
        request_id=stored.request_id,
        data_key_id=stored.data_key_id,
    ).to_bytes()
