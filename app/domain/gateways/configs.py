"""Gateway configs: an upstream, and the way in which it takes a secret."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.access.labels import LABEL_LENGTH
from app.domain.access.name_limits import NameLimit
from app.domain.columns import StoredRow
from app.domain.damage import DamagedRow
from app.domain.errors import InvalidRequest
from app.domain.gateways.credentials import AuthMechanism, CustomHeader, load_headers
from app.domain.gateways.origins import Origin, parse_origin
from app.domain.gateways.rules import Rule, load_rules
from app.domain.ids import is_any_id

MAX_CONFIGS = 1000
"""The number of configs that an account may have."""

MAX_DESCRIPTION_LENGTH = 2000
MAX_DENIED_NAMES = 32

_DESCRIPTION = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


@dataclass(frozen=True, slots=True)
class GatewayConfig(StoredRow):
    """One gateway config of an account, or of the system; times are Unix milliseconds.

    Attributes:
        endpoint: The URL of its origin.
        custom_headers: Stored text of more headers; ``headers`` parses it.
        allow: Stored text of the requests that it permits; ``None`` for all.
        deny: Stored text of requests that it refuses, whatever it permits.
        secrets: The secrets that a token may join to it; ``None`` for all.
        deny_query: Names of query parameters in which the upstream takes credentials.
        scrub: Answers are searched for the secret.
        version: Rises with each update.
    """

    table: ClassVar[str] = "gateway_configs"

    account_id: str
    id: str
    name: str
    description: str | None
    endpoint: str
    auth: AuthMechanism
    custom_headers: str
    allow: str | None
    deny: str | None
    secrets: NameLimit | None
    deny_query: tuple[str, ...]
    scrub: bool
    version: int
    created_at_ms: int
    updated_at_ms: int

    @property
    def is_system(self) -> bool:
        """True if it belongs to no account, and so cannot be changed."""
        return self.account_id == SYSTEM_ACCOUNT_ID

    @property
    def origin(self) -> Origin:
        """Its upstream; only of a row that was verified."""
        return parse_origin(self.endpoint)

    @property
    def headers(self) -> tuple[CustomHeader, ...]:
        """Its custom headers; only of a row that was verified."""
        return load_headers(self.custom_headers)

    @property
    def allowed(self) -> tuple[Rule, ...] | None:
        """The requests that it permits, ``None`` for all; only of a row that was verified."""
        return None if self.allow is None else load_rules(self.allow)

    @property
    def denied(self) -> tuple[Rule, ...]:
        """The requests that it refuses; only of a row that was verified."""
        return () if self.deny is None else load_rules(self.deny)

    @property
    def pin(self) -> bytes:
        """The digest of all that decides where a secret goes, and in which form.

        A token has the pin of its config from when it was minted. Once they differ, the config was
        pointed elsewhere, and the token is refused.
        """
        parts = (self.id, self.endpoint, self.auth.type, self.auth.key or "", self.custom_headers)
        return sha256("\0".join(parts).encode()).digest()

    def may_join(self, secret_name: str) -> bool:
        """Return True if a token may join the secret of this name to it."""
        return self.secrets is None or self.secrets.permits(secret_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFilter:
    """Selects the configs in a list.

    Attributes:
        id: Only the config of this id.
        name: Only configs whose name contains this.
        search: Only configs whose id is this, or whose name contains it in either case.
    """

    id: str | None = None
    name: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigPage:
    """One page of a list, newest first, with those of the system at its end.

    Attributes:
        total_count: How many configs the filter holds on all pages; ``None`` when not asked for.
    """

    configs: list[GatewayConfig | DamagedRow]
    has_more: bool
    total_count: int | None


def is_printable_name(text: str) -> bool:
    """Return True if the text is short enough, printable, and has no space at its ends."""
    return 0 < len(text) <= LABEL_LENGTH and text.isprintable() and text == text.strip()


def check_name(name: str) -> None:
    """Refuse a name that is empty, too long, not printable, or looks like an id.

    Raises:
        InvalidRequest: The rule that it breaks; never the name.
    """
    if not is_printable_name(name):
        raise _bad(
            "name", f"must be 1 to {LABEL_LENGTH} printable characters, and no space at its ends"
        )
    if is_any_id(name):
        raise _bad("name", "must not look like an id")


def check_description(text: str | None) -> None:
    """Refuse a description that is too long, or holds control characters.

    Raises:
        InvalidRequest: The rule that it breaks.
    """
    if text is not None and (
        len(text) > MAX_DESCRIPTION_LENGTH or not _DESCRIPTION.fullmatch(text)
    ):
        raise _bad(
            "description",
            f"must be at most {MAX_DESCRIPTION_LENGTH} characters, without control characters",
        )


def check_denied_names(names: tuple[str, ...]) -> None:
    """Refuse names of query parameters that no upstream has.

    Raises:
        InvalidRequest: The rule that they break.
    """
    if len(names) > MAX_DENIED_NAMES or not all(map(_QUERY_NAME.fullmatch, names)):
        raise _bad("deny_query", f"must hold at most {MAX_DENIED_NAMES} names of query parameters")


def _bad(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest("The gateway config is not valid.", {field: rule})
