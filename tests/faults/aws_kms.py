"""``aws-kms``: moto in this process, whose answers are replaced, or real sockets that fail."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, ClassVar

import pytest
from botocore.awsrequest import AWSResponse
from botocore.retries.standard import ExponentialBackoff

from backends.aws_kms import client as kms_client
from backends.errors import (
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
)
from tests.faults.fault import (
    DOES_NOT_OPEN,
    NOT_PROVED,
    SYSTEM_KEY_UNREADABLE,
    Backend,
    Failure,
    Fault,
    Never,
)
from tests.faults.planted import PLANTED, others_key, short_key
from tests.faults.resolver import unknown
from tests.unit.backends.aws_kms.endpoints import closed_port, endpoint, hang
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import VENDOR_TEXT, answer, kms_in_process

READ_SECONDS = 0.1
SECRET_ACCESS_KEY = "the-secret-access-key-of-a-server"
HOST = "kms.invalid"

NO_SENSE = "KMS gave an answer that makes no sense."


def answering(name: str, error: type[KeyProviderError], words: str) -> Fault:
    """KMS answers, or botocore fails, as the tests of the provider alone know it by this name."""
    return Fault(lambda backend: backend.answering(FAULTS[name][1]), Failure(error, words))


def elsewhere(place: Callable[[], AbstractContextManager[str]], words: str) -> Fault:
    """Requests really go to the host of ``place``."""
    return Fault(lambda backend: backend.elsewhere(place), Failure(KeyUnavailable, words))


def plaintexts(
    make: Callable[[], bytes],
    opening: Failure,
    making: Failure | None = None,
    starting: Failure | None = None,
) -> Fault:
    """KMS answers as it should, with other plaintexts."""

    def change(_operation: str, content: dict[str, Any]) -> AWSResponse | None:
        if "Plaintext" not in content:
            return None
        return answer(200, {**content, "Plaintext": base64.b64encode(make()).decode()})

    return Fault(lambda backend: backend.answering(change), opening, making, starting)


@contextmanager
def unknown_host() -> Iterator[str]:
    with unknown(HOST):
        yield HOST


class AwsKmsBackend(Backend):
    """One KMS key, and the credentials for it."""

    faults: ClassVar[Mapping[str, Fault | Never]] = {
        "refused": elsewhere(closed_port, "KMS cannot be reached."),
        "unknown-host": elsewhere(unknown_host, "KMS cannot be reached."),
        "time-out": elsewhere(partial(endpoint, hang), "KMS did not answer in time."),
        "4xx": answering(
            "unknown code",
            KeyUnavailable,
            "KMS refuses for a reason that this version does not know.",
        ),
        "5xx": answering("internal", KeyUnavailable, "KMS has an internal problem."),
        "throttled": answering("throttled", KeyUnavailable, "KMS throttles this account."),
        "sealed": Never("KMS has no seal; a key that is switched off is 'disabled'."),
        "denied": answering(
            "denied",
            KeyAccessDenied,
            "KMS refuses: these credentials know no such key, or may not use it.",
        ),
        "disabled": Fault(
            lambda backend: backend.disabled(),
            Failure(KeyDisabled, "the KMS key is disabled."),
        ),
        "truncated": answering("cut off", KeyUnavailable, NO_SENSE),
        "wrong-length": plaintexts(short_key, Failure(KeyUnavailable, NO_SENSE)),
        "others-key": plaintexts(others_key, DOES_NOT_OPEN, NOT_PROVED, SYSTEM_KEY_UNREADABLE),
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Clients that are built from now on wait for less long than a server's."""
        stack = ExitStack()
        request.addfinalizer(stack.close)
        self._kms = stack.enter_context(kms_in_process())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        patch.setenv("NO_PROXY", "*")
        patch.setattr(kms_client, "_READ_SECONDS", READ_SECONDS)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        self._arn = self._kms.create_key()
        self.keys = f"aws-kms:{self._arn}"

    def rotate(self) -> None:
        self._kms.rotate(self._arn)

    def secrets(self) -> Mapping[str, str | bytes]:
        return {
            "the vendor's text": VENDOR_TEXT,
            "a secret access key": SECRET_ACCESS_KEY,
            **PLANTED,
        }

    @contextmanager
    def answering(self, fault: Callable[[str, dict[str, Any]], Any]) -> Iterator[None]:
        self._kms.fault = fault
        try:
            yield
        finally:
            self._kms.fault = None

    @contextmanager
    def elsewhere(self, place: Callable[[], AbstractContextManager[str]]) -> Iterator[None]:
        with place() as host:
            self._kms.elsewhere = f"http://{host}/"
            try:
                yield
            finally:
                self._kms.elsewhere = None

    @contextmanager
    def disabled(self) -> Iterator[None]:
        self._kms.set_state(self._arn, "Disabled")
        try:
            yield
        finally:
            self._kms.set_state(self._arn, "Enabled")
