"""Idempotent retries: the same request sent again gets the same response, and one row."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RetryKey:
    """By what a retry is recognised.

    Attributes:
        request_id: The client's ``x-request-id``.
        request: Method, path, query and parsed body in one canonical form. Holds plaintext: it is
            only ever hashed under a key.
    """

    request_id: str
    request: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The sealed response to a request id."""

    account_id: str
    api_key_id: str
    request_id: str
    digest: bytes
    data_key_id: str
    response: bytes
    expires_at_ms: int
