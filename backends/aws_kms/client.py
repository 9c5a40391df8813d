"""Builds the client of AWS KMS, bounds its waits, and translates its failures."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from botocore import exceptions as aws
from botocore.config import Config

from backends.aws_kms.arn import KmsArn
from backends.aws_kms.credentials import Found, find_credentials
from backends.aws_kms.responses import (
    BAD_CONFIGURATION,
    GARBLED,
    NOT_ACCEPTED,
    WRONG_PARTITION,
    Problem,
    outage,
    problem,
    problem_of,
)
from backends.calls.bounded_response import bounded_pool
from backends.calls.client_keeper import Connected
from backends.errors import KeyProviderConfigError, KeyProviderError
from backends.provider_uri import is_loopback

T = TypeVar("T")
Response = Mapping[str, Any]

_CONNECT_SECONDS = 1
_READ_SECONDS = 1
_ATTEMPTS = 2

_NO_TLS = problem(
    KeyProviderConfigError, "AWS_ENDPOINT_URL_KMS must be https:, or http: to a loopback address."
)
# Raised by boto3 where there was no response to read a code from; the most specific first.
_FAILURES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], Problem]] = (
    (aws.SSLError, outage("The TLS connection to KMS failed.")),
    (aws.ProxyConnectionError, outage("The proxy to KMS cannot be reached.")),
    (
        (aws.ConnectTimeoutError, aws.ReadTimeoutError),
        outage("KMS did not answer in time."),
    ),
    (aws.ConnectionClosedError, outage("KMS closed the connection.")),
    ((aws.ConnectionError, aws.HTTPClientError), outage("KMS cannot be reached.")),
    (aws.ParamValidationError, NOT_ACCEPTED),
    (
        (
            aws.ProfileNotFound,
            aws.ConfigNotFound,
            aws.ConfigParseError,
            aws.InvalidConfigError,
            aws.BaseEndpointResolverError,
            aws.EndpointProviderError,
        ),
        BAD_CONFIGURATION,
    ),
    (Exception, GARBLED),
)


class Kms(Protocol):
    """The calls that are made of boto3's client of KMS. The policy must allow them."""

    def generate_data_key(self, **request: object) -> Response: ...  # noqa: D102
    def encrypt(self, **request: object) -> Response: ...  # noqa: D102
    def decrypt(self, **request: object) -> Response: ...  # noqa: D102
    def re_encrypt(self, **request: object) -> Response: ...  # noqa: D102
    def describe_key(self, **request: object) -> Response: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


def connect(name: KmsArn, connections: int, setting: str) -> Connected[Kms] | KeyProviderError:
    """Build a client with credentials that are looked up now. Returns it, or why there is none."""
    _silence_vendor_logs()
    found = find_credentials(name.region, setting)
    if isinstance(found, KeyProviderError):
        return found
    client = in_our_words(lambda: _client(found, name, connections, setting), setting)
    if isinstance(client, KeyProviderError):
        return client
    return Connected(client, found.seconds)


def _client(found: Found, name: KmsArn, connections: int, setting: str) -> Kms:
    """A client of KMS that carries plaintext keys over TLS only, through a proxy where one is set.

    The environment's proxies are honoured because they see nothing but TLS. A loopback address in
    clear is for tests and emulators, and is never handed to a proxy.
    """
    if _partition_of(found, name.region) != name.partition:
        raise WRONG_PARTITION(setting)
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=connections,
    )
    build = partial(
        found.session.client,
        "kms",
        region_name=name.region,
        aws_access_key_id=found.credentials.access_key,
        aws_secret_access_key=found.credentials.secret_key,
        aws_session_token=found.credentials.token,
    )
    try:
        client = build(config=config)
    except ValueError:  # the endpoint is no URL
        raise BAD_CONFIGURATION(setting) from None
    endpoint = urlsplit(client.meta.endpoint_url)
    if endpoint.scheme != "https":
        if not is_loopback(endpoint.hostname):
            raise _NO_TLS(setting)
        client = build(config=config.merge(Config(proxies={})))
    # botocore has no public way to it; this mapping is that of all its pools, a proxy's among them.
    pools = client._endpoint.http_session._pool_classes_by_scheme  # noqa: SLF001
    pools.update({scheme: bounded_pool(pool) for scheme, pool in pools.items()})
    return cast("Kms", client)


def _partition_of(found: Found, region: str) -> str:
    """The partition of a Region; boto3 takes one that it does not know for a public one."""
    try:
        return str(found.session.get_partition_for_region(region))
    except aws.UnknownRegionError:
        return "aws"


def _silence_vendor_logs() -> None:
    """Silence botocore: at DEBUG it logs whole responses, plaintext data keys among them."""
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def in_our_words(call: Callable[[], T], setting: str) -> T | KeyProviderError:
    """Return the result of a call of boto3, or the error of ours that its failure amounts to."""
    try:
        return call()
    except KeyProviderError as error:
        return error.with_traceback(None)
    except Exception as failure:  # noqa: BLE001  # a response may break any part of botocore
        return _translate(failure, setting)


def _translate(failure: Exception, setting: str) -> KeyProviderError:
    if isinstance(failure, aws.ClientError):
        return problem_of(failure.response)(setting)
    return next(meaning for kind, meaning in _FAILURES if isinstance(failure, kind))(setting)
