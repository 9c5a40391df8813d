"""Translates Vault's responses into our results and errors.

The status decides where it can, a part of Vault's text where it cannot: tampering, for one, is
400 from OpenBao 2.7 and 500 from Vault 1.8. Nothing of Vault's text goes further than this module.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from backends.calls.bounded_http import Failure, Response
from backends.data_key import DataKey
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)

VERSION = r"[1-9][0-9]{0,9}"

_CIPHERTEXT = re.compile(rf"vault:v(?P<version>{VERSION}):(?P<sealed>[A-Za-z0-9+/]{{40,1024}}=?=?)")

# The most specific first.
_BY_TEXT: Mapping[str, Callable[[], KeyProviderError]] = {
    # Vault was restored from an older snapshot; the number is what the wrapping's key_ref says too.
    "version is too new": lambda: UnknownKey("Vault does not know this version of the key."),
    "message authentication failed": DecryptionError,
    "invalid ciphertext": DecryptionError,
    "(too old)": lambda: KeyDisabled("This wrapping is older than Vault's min_decryption_version."),
    "soft-deleted": lambda: KeyDisabled("The transit key is soft-deleted."),
    "key not found": lambda: UnknownKey("Vault has no such transit key."),
}
_DENIED = "Vault denies this call: the token is not valid, or its policy does not allow it."
_NOT_ACCEPTED = "Vault does not accept this request."
_CLIENT_ERRORS = 4  # hundred
_BY_STATUS: Mapping[int, Callable[[], KeyProviderError]] = {
    HTTPStatus.UNAUTHORIZED: lambda: KeyAccessDenied(_DENIED),
    HTTPStatus.FORBIDDEN: lambda: KeyAccessDenied(_DENIED),
    HTTPStatus.NOT_FOUND: lambda: UnknownKey("Vault has no such transit key, mount or namespace."),
}
_OUTAGES: Mapping[int, str] = {
    HTTPStatus.PRECONDITION_FAILED: "This Vault node has not caught up with the others.",
    HTTPStatus.TOO_MANY_REQUESTS: "Vault is throttling.",
    472: "This Vault node is a standby for disaster recovery.",
    473: "This Vault node is a standby.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Vault is sealed or in maintenance.",
}
_TRANSIENT = {
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


def error_of(response: Response) -> KeyProviderError | None:
    """Return the error of ours that ``response`` amounts to, or ``None`` for a good one."""
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES and not response.failure:
        return None
    by_text = _error_of_texts(_texts(response))
    if by_text is not None:
        return by_text
    if response.status in _BY_STATUS:
        return _BY_STATUS[response.status]()
    if response.status // 100 == _CLIENT_ERRORS and response.status not in _OUTAGES:
        return KeyProviderError(_NOT_ACCEPTED)
    return _outage(response)


def is_transient(response: Response) -> bool:
    """Return whether the same request may succeed a moment later. Tampering never does."""
    if response.status < HTTPStatus.MULTIPLE_CHOICES:
        return response.failure in (Failure.CONNECTION, Failure.GARBLED)
    return response.status in _TRANSIENT and isinstance(error_of(response), KeyUnavailable)


def part_of(response: Response, name: str) -> Mapping[str, Any]:
    """The object called ``name`` in a good response: ``data``, or ``auth`` after a login.

    Raises:
        KeyProviderError: It is not a good one.
    """
    error = error_of(response)
    if error is not None:
        raise error
    part = response.body.get(name)
    if not isinstance(part, dict):
        raise unintelligible()
    return part


def batch_results(response: Response, count: int) -> list[Mapping[str, Any] | KeyProviderError]:
    """The result or error of each item of a batch, in order.

    Raises:
        KeyProviderError: The batch was refused as a whole.
    """
    data = response.body.get("data")
    results = data.get("batch_results") if isinstance(data, dict) else None
    if results is None:
        part_of(response, "data")
    if not isinstance(results, list) or len(results) != count:
        raise unintelligible()
    return [_batch_result(result) for result in results]


def ciphertext_of(data: Mapping[str, Any]) -> tuple[str, bytes]:
    """The key version and the text of a ciphertext, where Vault answers with one.

    Raises:
        KeyUnavailable: There is none of the known form.
    """
    found = _ciphertext_in(data)
    if found is None:
        raise unintelligible()
    return found


def ciphertext_version(blob: bytes) -> str | None:
    """The key version that a ciphertext names; ``None`` for what is none, to the last bit.

    Vault itself takes several spellings of one ciphertext, with line ends for example.
    """
    found = _CIPHERTEXT.fullmatch(blob.decode("ascii", errors="replace"))
    if found is None:
        return None
    try:
        sealed = base64.b64decode(found["sealed"], validate=True)
    except binascii.Error:
        return None
    is_canonical = base64.b64encode(sealed).decode() == found["sealed"]
    return found["version"] if is_canonical else None


def plaintext_of(data: Mapping[str, Any]) -> DataKey:
    """The data key in a response.

    Vault wraps keys of ours alone: another length is a fault of its, or of something on the way.

    Raises:
        KeyUnavailable: There is none, or it is not of 32 bytes.
    """
    try:
        return DataKey(base64.b64decode(data["plaintext"], validate=True))
    except (KeyError, TypeError, ValueError, DecryptionError):
        raise unintelligible() from None


def unintelligible() -> KeyUnavailable:
    """The error for a good response that does not hold what it must."""
    return KeyUnavailable("Vault's answer is not of the known form.")


def _batch_result(result: object) -> Mapping[str, Any] | KeyProviderError:
    if not isinstance(result, dict):
        return unintelligible()
    if not result.get("error"):
        return result
    return _error_of_texts([str(result["error"])]) or KeyProviderError(_NOT_ACCEPTED)


def _ciphertext_in(data: Mapping[str, Any]) -> tuple[str, bytes] | None:
    text = data.get("ciphertext")
    blob = text.encode() if isinstance(text, str) else b""
    version = ciphertext_version(blob)
    return (version, blob) if version else None


def _texts(response: Response) -> list[str]:
    errors = response.body.get("errors")
    return [str(error) for error in errors] if isinstance(errors, list) else []


def _error_of_texts(texts: Iterable[str]) -> KeyProviderError | None:
    for text in texts:
        for part, error in _BY_TEXT.items():
            if part in text:
                return error()
    return None


def _outage(response: Response) -> KeyUnavailable:
    if response.status in _OUTAGES:
        message = _OUTAGES[response.status]
    elif response.failure and response.status < HTTPStatus.MULTIPLE_CHOICES:
        message = f"Vault could not be asked. {response.failure.value}"
    elif response.status < HTTPStatus.BAD_REQUEST:
        message = "Vault answers with a redirect; those are not followed."
    else:
        message = "Vault failed."
    throttled = response.status == HTTPStatus.TOO_MANY_REQUESTS
    if response.retry_after is None:
        return KeyUnavailable(message, throttled=throttled)
    return KeyUnavailable(message, retry_after=response.retry_after, throttled=throttled)
