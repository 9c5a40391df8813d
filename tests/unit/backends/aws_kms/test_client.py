"""The client of KMS: when it is built, how long it waits, and what it never logs."""

import base64
import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import boto3
import pytest

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.provider import WrappedKey
from tests.unit.backends.aws_kms.conftest import provider_of

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Sessions:
    """Counts boto3's sessions, which are what clients are built from."""

    def __init__(self) -> None:
        self.built = 0
        self._session = boto3.session.Session

    def __call__(self, **options: object) -> boto3.session.Session:
        self.built += 1
        return self._session(**options)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    sessions = Sessions()
    monkeypatch.setattr(boto3.session, "Session", sessions)
    return sessions


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that a root logger at DEBUG gets to see, of vendors that nobody has silenced."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    loggers = [logging.getLogger(name) for name in (None, "boto3", "botocore", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    loggers[0].setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield written
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def client_of(provider: AwsKms) -> Any:
    return provider._keeper.get().client()


def test_a_provider_is_built_without_a_client(sessions: Sessions) -> None:
    provider_of(ARN)
    assert sessions.built == 0


def test_many_threads_build_one_client(
    sessions: Sessions, provider: AwsKms, context: KeyContext
) -> None:
    start = Barrier(8)

    def generate(_: int) -> WrappedKey:
        start.wait(10)
        return provider.generate(context)[1]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(generate, range(8)))
    assert sessions.built == 1


def test_the_region_is_the_keys_own(
    monkeypatch: pytest.MonkeyPatch, provider: AwsKms, context: KeyContext
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    provider.generate(context)
    assert client_of(provider).meta.endpoint_url == "https://kms.eu-west-1.amazonaws.com"


def test_one_call_cannot_wait_longer_than_its_budget(
    monkeypatch: pytest.MonkeyPatch, provider: AwsKms
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    config = client_of(provider).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 1)
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


def test_the_pool_holds_a_connection_for_each_call_at_once(provider: AwsKms) -> None:
    assert client_of(provider).meta.config.max_pool_connections == 4


def test_the_vendor_logs_data_keys_unless_it_is_silenced(arn: str, log: io.StringIO) -> None:
    client = boto3.session.Session().client("kms", "eu-west-1")
    key = client.generate_data_key(KeyId=arn, NumberOfBytes=32)["Plaintext"]
    assert base64.b64encode(key).decode() in log.getvalue()


def test_a_data_key_reaches_no_log_at_debug(
    provider: AwsKms, context: KeyContext, log: io.StringIO
) -> None:
    key, wrapped = provider.generate(context)
    provider.unwrap(wrapped, context)
    provider.wrap(key, context)
    shown = log.getvalue()
    forms = (base64.b64encode(key).decode(), key.hex(), repr(bytes(key)), wrapped.blob.hex())
    assert [form for form in forms if form in shown] == []
