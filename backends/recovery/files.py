"""The text files that hold the halves of a recovery key pair: JSON, described in the docs.

Both halves name their format, its version, the suite and the pair's ``key_ref``, so that no file
is taken for another. Errors do not say what is wrong with a file: it may be the private one.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from backends.context import KeyContext
from backends.fingerprint import SystemKeyFingerprint
from backends.recovery.keys import SUITE, RecoveryPrivateKey, RecoveryPublicKey

_PUBLIC: Mapping[str, object] = {
    "format": "strongroom-recovery-public-key",
    "version": 1,
    "suite": SUITE,
}
_PRIVATE: Mapping[str, object] = {
    "format": "strongroom-recovery-private-key",
    "version": 1,
    "suite": SUITE,
}
_CHECK_BYTES = 32

Key = TypeVar("Key", RecoveryPublicKey, RecoveryPrivateKey)


class MalformedKeyFile(Exception):
    """The text is not that half of a recovery key pair, in a version and suite known here."""


@dataclass(frozen=True, slots=True)
class PrivateKeyFile:
    """The content of the private half's file.

    Attributes:
        key: The private half.
        system_key: The system key's fingerprint; ``None`` until it has been filed.
    """

    key: RecoveryPrivateKey
    system_key: SystemKeyFingerprint | None = None

    def to_text(self) -> str:
        """The text of the file, to be stored offline with mode 0600."""
        filed = self.system_key
        return _to_text(
            _PRIVATE,
            key_ref=self.key.public_key.key_ref,
            seeds=_encode(self.key.seeds()),
            system_key=None if filed is None else _fingerprint_fields(filed),
        )

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Read the file's text.

        Raises:
            MalformedKeyFile: It is not the private half of a pair.
        """
        fields = _from_text(_PRIVATE, text, {"key_ref", "seeds", "system_key"})
        key = _built(RecoveryPrivateKey, _decode(fields["seeds"]))
        if fields["key_ref"] != key.public_key.key_ref:
            raise MalformedKeyFile
        filed = fields["system_key"]
        return cls(key, None if filed is None else _fingerprint(filed))


def public_key_text(key: RecoveryPublicKey) -> str:
    """The text of the public half's file."""
    return _to_text(_PUBLIC, key_ref=key.key_ref, key=_encode(key.raw))


def read_public_key(text: str | bytes) -> RecoveryPublicKey:
    """Read the text of the public half's file.

    Raises:
        MalformedKeyFile: It is not the public half of a pair.
    """
    fields = _from_text(_PUBLIC, text, {"key_ref", "key"})
    key = _built(RecoveryPublicKey, _decode(fields["key"]))
    if fields["key_ref"] != key.key_ref:
        raise MalformedKeyFile
    return key


def _built(build: Callable[[bytes], Key], raw: bytes) -> Key:
    try:
        return build(raw)
    except ValueError:
        raise MalformedKeyFile from None


def _fingerprint_fields(filed: SystemKeyFingerprint) -> dict[str, str]:
    return {
        "deployment_id": filed.context.deployment_id,
        "account_id": filed.context.account_id,
        "data_key_id": filed.context.data_key_id,
        "check": _encode(filed.check),
    }


def _fingerprint(fields: object) -> SystemKeyFingerprint:
    names = ("deployment_id", "account_id", "data_key_id")
    if not isinstance(fields, dict) or fields.keys() != {*names, "check"}:
        raise MalformedKeyFile
    check = _decode(fields["check"])
    if len(check) != _CHECK_BYTES:
        raise MalformedKeyFile
    return SystemKeyFingerprint(KeyContext(*(_text(fields[name]) for name in names)), check)


def _to_text(head: Mapping[str, object], **fields: object) -> str:
    return json.dumps({**head, **fields}, indent=2) + "\n"


def _from_text(head: Mapping[str, object], text: str | bytes, names: set[str]) -> dict[str, object]:
    fields = _parse(text)
    if not isinstance(fields, dict) or fields.keys() != head.keys() | names:
        raise MalformedKeyFile
    if any(fields[name] != value for name, value in head.items()):
        raise MalformedKeyFile
    return fields


def _parse(text: str | bytes) -> object:
    """``None`` when it is not JSON; the parser's error, which holds the text, ends here."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedKeyFile
    return value


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(value: object) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except ValueError:
        raise MalformedKeyFile from None
