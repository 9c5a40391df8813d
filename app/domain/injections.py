"""Injections: a set of secrets for one starting process, handed over once for a token."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from app.domain.access.api_keys import Token, TokenFormat
from app.domain.columns import COLUMN, StoredRow
from app.domain.damage import DamagedRow
from app.domain.errors import InvalidRequest
from app.domain.gateways.terms import TokenTerms
from app.domain.gateways.tokens import TokenPin
from app.domain.ids import INJECTION, SECRET, is_id
from app.domain.life import is_within
from app.domain.memo import Memo
from app.domain.redaction import Redacted
from app.domain.secrets import SecretValue, could_be_name, is_environment_name

INJECTION_TOKEN_PREFIX = "injt"  # noqa: S105 - a prefix, not a password
INJECTION_TOKENS = TokenFormat((INJECTION_TOKEN_PREFIX,), INJECTION)

MAX_SECRETS = 256
MAX_GATEWAYS = 16
MAX_MAP_BYTES = 32 * 1024
MAX_VALUES_BYTES = 1024 * 1024
DEFAULT_TTL_SECONDS = 300
MAX_TTL_SECONDS = 24 * 60 * 60
MAX_PAGE_BYTES = 1024 * 1024
NONCE_WINDOW_MS = 60_000  # a retry spans the fail-over of a database: about 20 s
NONCE_LENGTHS = (22, 128)
_NONCE = re.compile(f"[!-~]{{{NONCE_LENGTHS[0]},{NONCE_LENGTHS[1]}}}")


class InjectionState(StrEnum):
    """The stored state of an injection. Expiry is no state: it follows from the clock."""

    PENDING = "pending"
    REDEEMED = "redeemed"
    REVOKED = "revoked"


class InjectionStatus(StrEnum):
    """The status of an injection in the API."""

    PENDING = "pending"
    REDEEMED = "redeemed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DAMAGED = "damaged"


class BoundSecret(NamedTuple):
    """One entry of an injection: the variable, and the secret that was named when it was made."""

    variable: str
    secret_id: str
    secret_name: str


class BoundGateway(NamedTuple):
    """One gateway token that redemption mints: all that was decided when the injection was made.

    Attributes:
        prefix: The variable of the token; that of its URL has ``_URL`` after it.
        config_pin: The ``pin`` of the config, in hexadecimal digits.
        token_id: The id that the token will have, so that it can be revoked with the injection.
        terms: Stored text of its lifetime, rules and limits. Without any, an entry is stored as it
            was before there were terms.
    """

    prefix: str
    config_id: str
    config_pin: str
    secret_id: str
    secret_name: str
    token_id: str
    terms: str = ""

    @property
    def loaded_terms(self) -> TokenTerms:
        """Its terms; the token is bound to the address of its first use."""
        return TokenTerms.load(self.terms, TokenPin.FIRST_USE)

    @property
    def url_variable(self) -> str:
        """The variable of its URL."""
        return f"{self.prefix}{URL_SUFFIX}"


URL_SUFFIX = "_URL"


class GatewayChoice(NamedTuple):
    """A gateway config and a secret, each by its id or its name, and the terms of the token."""

    gateway: str
    secret: str
    terms: TokenTerms = TokenTerms()


GatewayChoices = Mapping[str, GatewayChoice]
NO_GATEWAYS: GatewayChoices = MappingProxyType({})


def bind(secrets: Iterable[BoundSecret], gateways: Sequence[BoundGateway] = ()) -> str:
    """The stored text of an injection's secrets, in ASCII; gateways are on a second line.

    Raises:
        InvalidRequest: It is longer than 32 KiB.
    """
    text = json.dumps(list(secrets))
    if len(text) > MAX_MAP_BYTES:
        rule = f"must take at most {MAX_MAP_BYTES} bytes with the names and ids of the secrets"
        raise _bad("secrets", rule)
    if gateways:
        text = f"{text}\n{json.dumps([each if each.terms else each[:-1] for each in gateways])}"
    if len(text) > MAX_MAP_BYTES:
        rule = f"must take at most {MAX_MAP_BYTES} bytes with their rules and all secrets"
        raise _bad("gateways", rule)
    return text


def _bound(text: str) -> tuple[BoundSecret, ...]:
    """Parse the text of ``bind``. It is cached: many injections are for the same secrets."""
    known = _KNOWN.find(text)
    if known is None:
        known = tuple(map(BoundSecret._make, json.loads(text)))
        _KNOWN.keep(text, known, 9 * len(text))
    return known


# A parsed map takes up to eight times its text.
_KNOWN = Memo[str, tuple[BoundSecret, ...]](4 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Injection(StoredRow):
    """One injection of an account; times are Unix milliseconds.

    Attributes:
        api_key_id: The key that made it; once that is revoked, nothing is handed over.
        bound: Its secrets and gateways as stored text, which is parsed only once it was verified.
        token_digest: The keyed hash of the token.
        nonce_digest: The keyed hash of the nonce that it was redeemed with, if any.
        redeemed_from: The address that redeemed it.
    """

    table: ClassVar[str] = "injections"

    account_id: str
    id: str
    api_key_id: str
    bound: str = field(metadata={COLUMN: "secrets"})
    token_digest: bytes
    state: InjectionState
    created_at_ms: int
    expires_at_ms: int
    redeemed_at_ms: int | None = None
    redeemed_from: str | None = None
    nonce_digest: bytes | None = None

    @property
    def secrets(self) -> tuple[BoundSecret, ...]:
        """Its secrets; only of a row that was verified."""
        return _bound(self.bound_secrets)

    @property
    def bound_secrets(self) -> str:
        """The part of its stored text that is about secrets."""
        return self.bound.partition("\n")[0]

    @property
    def gateways(self) -> tuple[BoundGateway, ...]:
        """The gateway tokens that come with its secrets; only of a row that was verified."""
        text = self.bound.partition("\n")[2]
        return tuple(BoundGateway(*each) for each in json.loads(text)) if text else ()

    def is_pending(self, now_ms: int) -> bool:
        """Return True if its token is valid at ``now_ms``."""
        return self.state is InjectionState.PENDING and is_within(
            self.created_at_ms, self.expires_at_ms, now_ms
        )

    def is_repeatable(self, now_ms: int) -> bool:
        """Return True if it was redeemed so recently that its redemption may be retried."""
        redeemed = self.redeemed_at_ms
        return redeemed is not None and is_within(redeemed, redeemed + NONCE_WINDOW_MS, now_ms)

    def has_ended(self, now_ms: int) -> bool:
        """Return True if its token can return no value any more."""
        if self.state is InjectionState.PENDING:
            return self.expires_at_ms <= now_ms
        if self.nonce_digest is None or self.redeemed_at_ms is None:
            return True
        return self.redeemed_at_ms + NONCE_WINDOW_MS <= now_ms

    def status(self, now_ms: int) -> InjectionStatus:
        """Return its status at ``now_ms``."""
        if self.state is InjectionState.PENDING and not self.is_pending(now_ms):
            return InjectionStatus.EXPIRED
        return InjectionStatus(self.state.value)


@dataclass(frozen=True, slots=True)
class InjectionView:
    """An injection as its account sees it: never a value, never a token."""

    injection: Injection
    status: InjectionStatus

    @property
    def id(self) -> str:
        """Its id."""
        return self.injection.id


@dataclass(frozen=True, slots=True)
class InjectionPage:
    """One page of a list, newest first."""

    injections: list[InjectionView | DamagedRow]
    has_more: bool


@dataclass(frozen=True, slots=True)
class IssuedInjection:
    """A new injection with its token, which is shown this once."""

    id: str
    token: Token
    expires_at_ms: int


class RedeemNonce(Redacted):
    """A random text that identifies a redemption, so that it can be retried."""

    __slots__ = ()


Environment = dict[str, SecretValue]


def check_request(
    secrets: Mapping[str, str], ttl_seconds: int, gateways: GatewayChoices = NO_GATEWAYS
) -> None:
    """Refuse a map or a life that no injection may have.

    Raises:
        InvalidRequest: The rule that is broken; repeats no input.
    """
    if not (secrets or gateways) or len(secrets) > MAX_SECRETS:
        raise _bad("secrets", f"must hold 1 to {MAX_SECRETS} entries")
    if not all(is_environment_name(variable) for variable in secrets):
        raise _bad("secrets", "every key must be the name of an environment variable")
    if not all(could_be_name(ref) or is_id(ref, SECRET) for ref in secrets.values()):
        raise _bad("secrets", "every value must be the name or the id of a secret")
    if not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
        raise _bad("ttl_seconds", f"must be 1 to {MAX_TTL_SECONDS}")
    _check_gateways(gateways, secrets)


def _check_gateways(gateways: GatewayChoices, secrets: Mapping[str, str]) -> None:
    if len(gateways) > MAX_GATEWAYS:
        raise _bad("gateways", f"must hold at most {MAX_GATEWAYS} entries")
    variables = [name for prefix in gateways for name in (prefix, prefix + URL_SUFFIX)]
    if not all(map(is_environment_name, variables)):
        raise _bad("gateways", "every key must be the name of an environment variable")
    if len({*variables, *secrets}) < len(variables) + len(secrets):
        raise _bad("gateways", "KEY and KEY_URL must be variables that nothing else is named")
    for choice in gateways.values():
        choice.terms.checked()


def check_nonce(nonce: RedeemNonce) -> None:
    """Refuse a nonce that is not 22 to 128 visible ASCII characters.

    Raises:
        InvalidRequest: Names the rule, never the nonce.
    """
    if not _NONCE.fullmatch(nonce.reveal()):
        shortest, longest = NONCE_LENGTHS
        rule = f"must be {shortest} to {longest} visible ASCII characters"
        raise _bad("redeem_nonce", rule)


def _bad(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest("The injection is not valid.", {field: rule})
