"""Secrets: what one is to its owner, how it is stored, and the rules for names and values."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple

from app.domain.columns import StoredRow
from app.domain.errors import InvalidRequest
from app.domain.ids import SECRET, is_any_id, is_id
from app.domain.redaction import Redacted


class SecretValue(Redacted):
    """The value of a secret: a Unicode string, kept byte-exact."""

    __slots__ = ()


class Secret(NamedTuple):
    """A secret as the API shows it. Times are Unix milliseconds."""

    id: str
    name: str
    create_time_ms: int
    update_time_ms: int


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by its name or by its id, as a client gave it."""

    text: str
    is_id: bool

    @classmethod
    def by_name(cls, name: str) -> "SecretRef":
        """The secret of this name."""
        return cls(name, is_id=False)

    @classmethod
    def by_id(cls, secret_id: str) -> "SecretRef":
        """The secret of this id."""
        return cls(secret_id, is_id=True)

    @property
    def is_possible(self) -> bool:
        """True if a secret may have this name, or this id."""
        return is_id(self.text, SECRET) if self.is_id else could_be_name(self.text)


@dataclass(frozen=True, slots=True)
class SecretIdentity(StoredRow):
    """The columns of a secret that never change. A MAC covers them, and no other column.

    They decide for whom a new value is sealed, so they are verified before that. A row whose value
    is damaged can still be replaced.
    """

    table: ClassVar[str] = "secrets"

    account_id: str
    id: str
    name: str


class StoredSecret(NamedTuple):
    """A secret with its sealed value, as it stands in the database.

    Attributes:
        mac_key_id: The id of the system data key that keyed the MAC of its ``SecretIdentity``.
        mac: The tag of that MAC.
    """

    account_id: str
    id: str
    name: str
    version: int
    data_key_id: str
    envelope: bytes
    create_time_ms: int
    update_time_ms: int
    mac_key_id: str
    mac: bytes

    def view(self) -> Secret:
        """Return the secret as the API shows it."""
        return Secret(self.id, self.name, self.create_time_ms, self.update_time_ms)

    def sealed(self) -> "SealedValue":
        """Return the columns that are needed to open its value."""
        return SealedValue(self.id, self.name, self.data_key_id, self.envelope, self.version)


class SealedValue(NamedTuple):
    """The columns that are needed to open the value of a secret, besides its data key."""

    id: str
    name: str
    data_key_id: str
    envelope: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFilter:
    """Selects the secrets in a list.

    Attributes:
        name: Only the secret of exactly this name.
        search: Only secrets whose name contains this, in either case.
    """

    name: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class SecretPage:
    """One page of a list, newest first.

    Attributes:
        total_count: How many secrets the filter holds on all pages; ``None`` when not asked for.
    """

    secrets: list[Secret]
    has_more: bool
    total_count: int | None


class NamePolicy(StrEnum):
    """The rule for names of secrets."""

    ENVIRONMENT = "environment"
    RUNLOOP = "runloop"


_ENVIRONMENT_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,254}")
_ANY_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,254}")
_RULES = {
    NamePolicy.ENVIRONMENT: "must be 1 to 255 ASCII letters, digits or underscores, no digit first",
    NamePolicy.RUNLOOP: "must be 1 to 255 ASCII letters, digits, underscores or hyphens, no digit "
    "or hyphen first",
}
_NO_HYPHENS = (
    "must hold no hyphens; the server's setting STRONGROOM_NAME_POLICY=runloop admits them"
)


def is_environment_name(text: str) -> bool:
    """Return True if ``text`` can name an environment variable: ASCII, at most 255 characters."""
    return _ENVIRONMENT_NAME.fullmatch(text) is not None


def could_be_name(text: str) -> bool:
    """Return True if a secret may have this name under any policy, also an earlier one."""
    return _ANY_NAME.fullmatch(text) is not None


class SecretRules:
    """The names and values that a deployment admits.

    Args:
        name_policy: Whether names may hold hyphens, as the hosted service's may.
        max_value_bytes: The longest value, in bytes of UTF-8.
    """

    def __init__(self, name_policy: NamePolicy, max_value_bytes: int) -> None:
        self.max_value_bytes = max_value_bytes
        self._name_policy = name_policy

    def check_name(self, text: str) -> None:
        """Refuse an illegal name.

        Raises:
            InvalidRequest: The rule that it breaks; never the name.
        """
        rule = self._broken_name_rule(text)
        if rule is not None:
            raise InvalidRequest("The name is not valid.", {"name": rule})

    def check_value(self, value: SecretValue) -> None:
        """Refuse a value that could not become an environment variable, or is too long.

        Raises:
            InvalidRequest: The rule that it breaks; never the value.
        """
        rule = self._broken_value_rule(value.reveal())
        if rule is not None:
            raise InvalidRequest("The value is not valid.", {"value": rule})

    def _broken_name_rule(self, text: str) -> str | None:
        if is_any_id(text):
            return "must not look like an id"
        if is_environment_name(text):
            return None
        if not could_be_name(text):
            return _RULES[self._name_policy]
        return None if self._name_policy is NamePolicy.RUNLOOP else _NO_HYPHENS

    def _broken_value_rule(self, text: str) -> str | None:
        """Apart, because a traceback may show the locals of every frame that an error left."""
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return "must not contain unpaired surrogates"
        if "\0" in text:
            return "must not contain NUL"
        if size > self.max_value_bytes:
            return f"must be at most {self.max_value_bytes} bytes of UTF-8"
        return None
