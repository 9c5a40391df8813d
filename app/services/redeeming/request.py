"""One request for a redemption: its token and nonce as keyed digests, and what they permit."""

from dataclasses import dataclass, replace
from typing import Self

from cryptography.hazmat.primitives import constant_time

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import ParsedToken
from app.domain.guarded import Guarded
from app.domain.injections import Injection, InjectionState, RedeemNonce, check_nonce
from app.domain.redaction import Redacted
from app.services.redeeming.event import RedemptionEvent


@dataclass(frozen=True, slots=True)
class RedemptionRequest:
    """One request for a redemption, with the opened system data key that verifies its rows.

    Attributes:
        credential: The token as it came; its gateway tokens are derived from it.
    """

    token: ParsedToken
    token_digest: bytes
    nonce_digest: bytes | None
    address: str | None
    request_id: str | None
    credential: Redacted
    system_key: OpenedSystemKey
    event: RedemptionEvent

    @classmethod
    def of(
        cls,
        credential: Redacted,
        token: ParsedToken,
        nonce: RedeemNonce | None,
        origin: tuple[str | None, str | None],
        *,
        system_key: OpenedSystemKey,
        event: RedemptionEvent,
    ) -> Self:
        """Digest the token and the nonce.

        Args:
            origin: The address of the client, and the server's id of the request, as far as known.

        Raises:
            InvalidRequest: The nonce breaks a rule.
        """
        return cls(
            token=token,
            token_digest=system_key.digest(Purpose.INJECTION_TOKEN, credential.reveal().encode()),
            nonce_digest=_nonce_digest(system_key, token, nonce),
            address=origin[0],
            request_id=origin[1],
            credential=credential,
            system_key=system_key,
            event=event,
        )

    def may_take(self, injection: Injection, now_ms: int) -> bool:
        """Return True if the injection is pending, or was just redeemed with the same nonce.

        It also notes in the event if the token was used before.
        """
        if injection.state is InjectionState.PENDING:
            return injection.is_pending(now_ms)
        is_used = injection.state is InjectionState.REDEEMED
        is_repeated = is_used and self._is_retry(injection, now_ms)
        self.event.is_reuse = is_used and not is_repeated
        self.event.is_repeated = is_repeated
        return is_repeated

    def redeemed(self, stored: Guarded[Injection], now_ms: int) -> Guarded[Injection]:
        """Return the injection as redeemed, or unchanged if it is redeemed already."""
        injection = stored.unverified
        if injection.state is InjectionState.REDEEMED:
            return stored
        redeemed = replace(
            injection,
            state=InjectionState.REDEEMED,
            redeemed_at_ms=now_ms,
            redeemed_from=self.address,
            nonce_digest=self.nonce_digest,
        )
        return self.system_key.guard(redeemed)

    def _is_retry(self, injection: Injection, now_ms: int) -> bool:
        """Return True if the injection was redeemed with the same nonce within 60 seconds."""
        stored = injection.nonce_digest
        if self.nonce_digest is None or stored is None:
            return False
        matches = constant_time.bytes_eq(stored, self.nonce_digest)
        return matches and injection.is_repeatable(now_ms)


def _nonce_digest(
    system_key: OpenedSystemKey, token: ParsedToken, nonce: RedeemNonce | None
) -> bytes | None:
    if nonce is None:
        return None
    check_nonce(nonce)
    asked = f"{token.account_id} {token.row_id} {nonce.reveal()}"
    return system_key.digest(Purpose.REDEEM_NONCE, asked.encode())
