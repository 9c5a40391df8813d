"""The faults of KMS: each by name, with its bytes on the wire and our error."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from botocore import exceptions as aws
from botocore.awsrequest import AWSResponse

from backends.errors import CredentialsMissing, KeyAccessDenied, KeyProviderError, KeyUnavailable
from tests.unit.backends.aws_kms.kms import VENDOR_TEXT, Fault, answer, refusal

_OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"


def _refused_as(code: str, status: int = 400) -> Fault:
    return lambda _operation, _content: refusal(code, status)


def _answered(status: int, body: bytes) -> Fault:
    return lambda _operation, _content: answer(status, body)


def _raised(kind: type[Exception], **details: object) -> Fault:
    def fail(_operation: str, _content: Mapping[str, Any]) -> NoReturn:
        raise kind(**details)

    return fail


def _cut_off(_operation: str, content: Mapping[str, Any]) -> AWSResponse:
    whole = answer(200, content).content
    return answer(200, whole[: len(whole) // 2])


def _of_another_key(_operation: str, content: Mapping[str, Any]) -> AWSResponse:
    if "KeyMetadata" in content:
        return answer(200, {"KeyMetadata": {**content["KeyMetadata"], "Arn": _OTHER_KEY}})
    return answer(200, {**content, "KeyId": _OTHER_KEY})


_failed = partial(_raised, endpoint_url=VENDOR_TEXT, error=VENDOR_TEXT)

FAULTS: Mapping[str, tuple[type[KeyProviderError], Fault]] = {
    "refused": (KeyUnavailable, _failed(aws.EndpointConnectionError)),
    "connect time-out": (KeyUnavailable, _failed(aws.ConnectTimeoutError)),
    "read time-out": (KeyUnavailable, _failed(aws.ReadTimeoutError)),
    "closed": (KeyUnavailable, _failed(aws.ConnectionClosedError)),
    "TLS": (KeyUnavailable, _failed(aws.SSLError)),
    "proxy down": (KeyUnavailable, _raised(aws.ProxyConnectionError, proxy_url=VENDOR_TEXT)),
    "throttled": (KeyUnavailable, _refused_as("ThrottlingException")),
    "over a limit": (KeyUnavailable, _refused_as("LimitExceededException")),
    "internal": (KeyUnavailable, _refused_as("KMSInternalException", 500)),
    "dependency": (KeyUnavailable, _refused_as("DependencyTimeoutException")),
    "key unavailable": (KeyUnavailable, _refused_as("KeyUnavailableException", 500)),
    "5xx page": (KeyUnavailable, _answered(502, b"<html>bad gateway</html>")),
    "4xx page": (KeyUnavailable, _answered(404, b"<html>no such page</html>")),
    "unknown code": (KeyUnavailable, _refused_as("TeapotException", 418)),
    "429 page": (KeyUnavailable, _answered(429, b"<html>slow down</html>")),
    "403 page": (KeyAccessDenied, _answered(403, b"<html>blocked</html>")),
    "cut off": (KeyUnavailable, _cut_off),
    "empty": (KeyUnavailable, _answered(200, b"")),
    "a list": (KeyUnavailable, _answered(200, b"[1]")),
    "an error that is a list": (KeyUnavailable, _answered(400, b"[1]")),
    "not UTF-8": (KeyUnavailable, _answered(200, b"\xff\xfe")),
    "deep": (KeyUnavailable, _answered(200, b'{"a":' * 5000 + b"1" + b"}" * 5000)),
    "another key": (KeyUnavailable, _of_another_key),
    "denied": (KeyAccessDenied, _refused_as("AccessDeniedException")),
    "expired token": (CredentialsMissing, _refused_as("ExpiredTokenException")),
    "unknown client": (KeyAccessDenied, _refused_as("UnrecognizedClientException")),
    "bad signature": (KeyAccessDenied, _refused_as("InvalidSignatureException")),
}
"""Faults of every call, whatever its operation."""
