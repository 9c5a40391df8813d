"""Idempotent retries: the answer of a request is stored in the transaction of its write.

The row is inserted before the work, so a retry that overlaps the first request waits for it and
then gets its answer. Neither the request nor its value is stored: a keyed hash of the request, and
the answer sealed under the system data key.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from app.crypto.contexts import StoredResponseContext
from app.crypto.envelope import open_envelope, seal
from app.domain.access.api_keys import Caller
from app.domain.errors import RequestIdReused, RequestIdUnusable, TamperedRow
from app.domain.idempotency import RetryKey, StoredResponse
from app.domain.life import is_within
from app.repository.base import Database, UnitOfWork
from app.services.clock import SteadyClock
from app.services.keys.system_key import OpenedSystemKey, Purpose, SystemKey

KEPT_MS = 60 * 60 * 1000
"""How long an answer is kept. Where the clock was set, a retry is refused rather than done twice:
an answer is repeated within its hour, and forgotten when that is over by every clock."""

DELETED_AT_ONCE = 100
"""How many expired answers a write deletes at most; the sweep deletes the others."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResponseFormat(Generic[T]):
    """How one kind of answer is stored: a pair of functions, each the other's inverse."""

    dump: Callable[[T], bytes]
    load: Callable[[bytes], T]


class Idempotency:
    """Runs a write once for each request id of an API key."""

    def __init__(self, database: Database, system_key: SystemKey, clock: SteadyClock) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock

    def once(
        self,
        caller: Caller,
        retry: RetryKey | None,
        work_on: Callable[[UnitOfWork], T],
        answers: ResponseFormat[T],
    ) -> T:
        """Do ``work_on`` in a unit of work and commit, or give the answer of the time before.

        Args:
            retry: By what a retry is recognised; ``None`` when the client sent no request id.
            work_on: The write. What it raises undoes everything and is not stored.
            answers: How its answer is stored.

        Raises:
            RequestIdReused: The request id came before, with another request.
            RequestIdUnusable: It came before, and it is not certain that its hour lasts.
        """
        # Before the transaction: a process may need its provider for the system key.
        opened = self._system_key.opened()
        if retry is None:
            with self._database.writing() as work:
                answer = work_on(work)
                work.commit()
                return answer
        pending = self._pending(opened, caller, retry)
        with self._database.writing() as work:
            earliest, _ = self._clock.bounds_ms()
            if not work.stored_responses.claim(pending, earliest):
                stored = _stored(work, pending)
                _require_life(stored, self._clock.now_ms())
                return answers.load(_opened(opened, stored))
            answer = work_on(work)
            plaintext = _bound_to(pending) + answers.dump(answer)
            sealed = seal(opened.key, plaintext, _context(opened, pending))
            work.stored_responses.finish(replace(pending, response=sealed))
            work.stored_responses.delete_expired(caller.account_id, earliest, DELETED_AT_ONCE)
            work.commit()
            return answer

    def _pending(self, opened: OpenedSystemKey, caller: Caller, retry: RetryKey) -> StoredResponse:
        return StoredResponse(
            account_id=caller.account_id,
            api_key_id=caller.api_key_id,
            request_id=retry.request_id,
            digest=opened.digest(Purpose.REQUEST, retry.request),
            data_key_id=opened.context.data_key_id,
            response=b"",
            expires_at_ms=self._clock.now_ms() + KEPT_MS,
        )


def _stored(work: UnitOfWork, pending: StoredResponse) -> StoredResponse:
    stored = work.stored_responses.get(pending.account_id, pending.api_key_id, pending.request_id)
    if stored is None or stored.data_key_id != pending.data_key_id:
        raise TamperedRow("stored_responses")
    if stored.digest != pending.digest:
        raise RequestIdReused
    return stored


def _require_life(stored: StoredResponse, now_ms: int) -> None:
    """Refuse an answer whose hour is over by one clock only, or that comes from the future."""
    if not is_within(stored.expires_at_ms - KEPT_MS, stored.expires_at_ms, now_ms):
        raise RequestIdUnusable


def _opened(opened: OpenedSystemKey, stored: StoredResponse) -> bytes:
    plaintext = bytes(open_envelope(opened.key, stored.response, _context(opened, stored)))
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
    """The columns that say which request is answered and for how long, 40 bytes."""
    return stored.digest + stored.expires_at_ms.to_bytes(8, "big", signed=True)


def _context(opened: OpenedSystemKey, stored: StoredResponse) -> bytes:
    return StoredResponseContext(
        deployment_id=opened.context.deployment_id,
        account_id=stored.account_id,
        api_key_id=stored.api_key_id,
        request_id=stored.request_id,
        data_key_id=stored.data_key_id,
    ).to_bytes()
