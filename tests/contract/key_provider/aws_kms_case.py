"""The case of ``aws-kms``: root keys in moto, which answers as KMS does; see ``kms.py`` there."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar

import pytest

from backends.errors import KeyDisabled, KeyProviderError
from backends.provider_uri import ProviderSpec, parse_spec
from config.files import Files
from tests.contract.key_provider.case import ProviderCase
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import kms_in_process

# One of each kind; a client takes a tenth of a second to build. The tests beside go through all.
_KINDS = (
    "refused",
    "read time-out",
    "throttled",
    "internal",
    "cut off",
    "another key",
    "denied",
    "expired token",
)
_STATES = {"disabled": "Disabled", "pending deletion": "PendingDeletion"}


class AwsKmsCase(ProviderCase):
    """Every fault comes as what KMS or botocore brings it as; sockets are in the tests beside."""

    misconfigurations: ClassVar[tuple[str, ...]] = (
        "a word",
        "another service",
        "another partition",
        "no account",
        "no key",
        "a key id of other digits",
        "an alias of AWS",
        "a trailing newline",
        "unknown option",
    )
    faults: ClassVar[Mapping[str, type[KeyProviderError]]] = {
        **{name: FAULTS[name][0] for name in _KINDS},
        **dict.fromkeys(_STATES, KeyDisabled),
    }
    forgotten: ClassVar[type[KeyProviderError]] = KeyDisabled

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        stack = ExitStack()
        request.addfinalizer(stack.close)
        self._kms = stack.enter_context(kms_in_process())
        self._arn = self._kms.create_key()
        self._unrelated = self._kms.create_key()

    def spec(self) -> ProviderSpec:
        return _spec(self._arn)

    def unrelated_spec(self) -> ProviderSpec:
        return _spec(self._unrelated)

    def rotate(self) -> None:
        self._kms.rotate(self._arn)

    def forget_rotated(self) -> None:
        self._kms.delete_old_materials(self._arn)

    def misconfigured(self, name: str) -> ProviderSpec:
        place, key_id = self._arn.split("key/")
        return _spec(
            {
                "a word": "my-key",
                "another service": self._arn.replace(":kms:", ":s3:"),
                "another partition": self._arn.replace("arn:aws:", "arn:aws-moon:"),
                "no account": self._arn.replace(":123456789012:", "::"),
                "no key": place + "key/",
                "a key id of other digits": place + "key/" + key_id[:-1] + "٣",
                "an alias of AWS": place + "alias/aws/s3",
                "a trailing newline": self._arn + "\n",
                "unknown option": self._arn + "?region=eu-west-1",
            }[name]
        )

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        if name in _STATES:
            self._kms.set_state(self._arn, _STATES[name])
        else:
            self._kms.fault = FAULTS[name][1]
        try:
            yield
        finally:
            self._kms.fault = None
            self._kms.set_state(self._arn, "Enabled")

    def flips(self, blob: bytes) -> Iterable[int]:
        """One bit of each byte: a call takes milliseconds."""
        return (8 * place + place % 8 for place in range(len(blob)))


def _spec(arn: str) -> ProviderSpec:
    return parse_spec(
        f"aws-kms:{arn}", setting="STRONGROOM_KEYS (entry 1)", concurrency=4, files=Files()
    )
