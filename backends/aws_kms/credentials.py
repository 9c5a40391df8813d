"""Fetches credentials for AWS KMS from any source that boto3's chain knows.

Nothing here is done within a call of KMS: a command, an assumed role or a metadata service may take
many seconds. ``backends.calls.client_keeper`` runs it ahead, in the background.

The chain is boto3's own, with two of its limits made fit for such sources, and with the key's
Region where none is configured: roles are assumed by the Region's own STS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import ContainerMetadataFetcher

from backends.aws_kms.responses import (
    BAD_CONFIGURATION,
    CREDENTIALS_GARBLED,
    CREDENTIALS_IN_HALVES,
    CREDENTIALS_UNREACHABLE,
    LOGIN_IS_OVER,
    NO_CONTAINER_CREDENTIALS,
    NO_CREDENTIALS,
    NO_CRT,
    PROCESS_FAILED,
    SSO_IS_OVER,
    Problem,
    credentials_problem_of,
)
from backends.errors import KeyProviderError

_METADATA_SECONDS = 5  # for one request of an instance's role; boto3 gives up after 1
_CONTAINER_SECONDS = 8  # for one of a container's, three attempts; boto3 gives up after 2
_LONGEST_LIFE_SECONDS = 48 * 60 * 60.0
_PROCESS = "custom-process"  # botocore's name of credential_process

# No setting and no argument that the chain passes on reaches this limit, but its own constant.
ContainerMetadataFetcher.TIMEOUT_SECONDS = _CONTAINER_SECONDS

# Raised by boto3 on the way to credentials; the most specific first.
_FAILURES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], Problem]] = (
    (aws.NoCredentialsError, NO_CREDENTIALS),
    (aws.PartialCredentialsError, CREDENTIALS_IN_HALVES),
    ((aws.SSOError, aws.TokenRetrievalError, aws.NoAuthTokenError), SSO_IS_OVER),
    (aws.LoginError, LOGIN_IS_OVER),
    (aws.MissingDependencyException, NO_CRT),
    (
        (
            aws.ProfileNotFound,
            aws.ConfigNotFound,
            aws.ConfigParseError,
            aws.InvalidConfigError,
            aws.UnknownCredentialError,
            aws.BaseEndpointResolverError,
            aws.EndpointProviderError,
            aws.InfiniteLoopConfigError,
        ),
        BAD_CONFIGURATION,
    ),
    ((aws.ConnectionError, aws.HTTPClientError), CREDENTIALS_UNREACHABLE),
    (Exception, CREDENTIALS_GARBLED),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, and the session that found them.

    Attributes:
        seconds: Their life; ``None`` where it is unknown.
    """

    session: Any
    credentials: ReadOnlyCredentials = field(repr=False)
    seconds: float | None


def find_credentials(region: str, setting: str) -> Found | KeyProviderError:
    """Look for credentials as a new process would. It may take as long as their source takes.

    Args:
        region: Where roles are assumed, unless the configuration names a Region.
        setting: Names the entry that lists the provider, for messages.
    """
    try:
        return _find(region)
    except Exception as failure:  # noqa: BLE001 - a source may break any part of botocore
        return _translate(failure)(setting)


def _find(region: str) -> Found:
    core = botocore.session.get_session()
    if core.get_config_variable("region") is None:
        core.set_config_variable("region", region)
    seconds = core.get_config_variable("metadata_service_timeout")
    core.set_config_variable("metadata_service_timeout", max(seconds, _METADATA_SECONDS))
    session = boto3.session.Session(botocore_session=core)
    source = session.get_credentials()
    if source is None:
        raise aws.NoCredentialsError
    frozen = source.get_frozen_credentials()
    if not frozen.access_key or not frozen.secret_key:
        raise aws.NoCredentialsError
    return Found(session, frozen, _seconds_remaining(getattr(source, "refresh_needed", None)))


def _seconds_remaining(ends_within: Callable[[float], bool] | None) -> float | None:
    """The life of credentials, by the only question that botocore answers: do they end within x?"""
    if ends_within is None or not ends_within(_LONGEST_LIFE_SECONDS):
        return None
    lives, ends = 0.0, _LONGEST_LIFE_SECONDS
    while ends - lives > 1:
        middle = (lives + ends) / 2
        if ends_within(middle):
            ends = middle
        else:
            lives = middle
    return lives


def _translate(failure: Exception) -> Problem:
    if isinstance(failure, aws.ClientError):
        return credentials_problem_of(failure.response)
    if isinstance(failure, aws.CredentialRetrievalError | aws.MetadataRetrievalError):
        is_process = getattr(failure, "kwargs", {}).get("provider") == _PROCESS
        return PROCESS_FAILED if is_process else NO_CONTAINER_CREDENTIALS
    return next(meaning for kind, meaning in _FAILURES if isinstance(failure, kind))
