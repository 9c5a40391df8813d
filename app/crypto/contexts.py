"""Contexts of what this server seals itself: values, and stored responses.

``backends.context`` says what a context is and how its fields are encoded.
"""

from dataclasses import dataclass

from backends.context import encode_context

_KIND_VALUE = 1
_KIND_STORED_RESPONSE = 3


@dataclass(frozen=True, slots=True)
class ValueContext:
    """The row of the secret whose value an envelope holds."""

    deployment_id: str
    account_id: str
    secret_id: str
    name: str
    version: int
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 1."""
        return encode_context(
            _KIND_VALUE,
            self.deployment_id,
            self.account_id,
            self.secret_id,
            self.name,
            self.version,
            self.data_key_id,
        )


@dataclass(frozen=True, slots=True)
class StoredResponseContext:
    """The request whose stored response an envelope holds, for its idempotent retries."""

    deployment_id: str
    account_id: str
    api_key_id: str
    request_id: str
    data_key_id: str

    def to_bytes(self) -> bytes:
        """The canonical encoding, kind 3."""
        return encode_context(
            _KIND_STORED_RESPONSE,
            self.deployment_id,
            self.account_id,
            self.api_key_id,
            self.request_id,
            self.data_key_id,
        )
