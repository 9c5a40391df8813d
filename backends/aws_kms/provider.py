"""Data keys wrapped by AWS KMS: ``aws-kms:ARN``, the ARN of a symmetric key or of an alias.

Credentials come from boto3's usual chain and are fetched apart from any call. The Region is that of
the ARN, and another endpoint comes from boto3's own ``AWS_ENDPOINT_URL_KMS``. Every call names the
key and carries the context as KMS's encryption context: KMS authenticates it, and logs it in
CloudTrail. A blob is KMS's own; two of its bytes may be changed without KMS noticing, so equal keys
may have different blobs.

The rights that suffice are in ``docs/keys/aws-kms.md``: ``kms:GenerateDataKey``, ``kms:Encrypt``,
``kms:Decrypt``, ``kms:ReEncryptFrom``, ``kms:ReEncryptTo`` and ``kms:DescribeKey`` on the key.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from backends.aws_kms.arn import KmsArn, key_of, key_ref, root_of
from backends.aws_kms.client import Kms, Response, connect, in_our_words
from backends.aws_kms.responses import (
    GARBLED,
    WRONG_KEY_TYPE,
    outage,
    problem,
    why_unusable,
)
from backends.calls.batches import side_by_side
from backends.calls.client_keeper import ClientKeeper, Connect
from backends.calls.per_process import PerProcess
from backends.context import KeyContext
from backends.data_key import DATA_KEY_BYTES, DataKey, key_check, verify_key
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyProviderConfigError,
    KeyProviderError,
    UnknownKey,
)
from backends.provider import KeyItems, KeyProvider, ProviderStatus, WrappedItems, WrappedKey
from backends.provider_uri import ProviderSpec

T = TypeVar("T")

_KEY_TYPE = ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT")
_LARGEST_BLOB = 6144  # KMS API Reference, Decrypt, CiphertextBlob

_BAD_ARN = problem(
    KeyProviderConfigError,
    "must be the ARN of a KMS key or alias, for example "
    "aws-kms:arn:aws:kms:eu-west-1:111122223333:alias/NAME, without options.",
)
_OTHER_KEY = problem(UnknownKey, "the wrapping is under another KMS key.")


class AwsKms(KeyProvider):
    """Wraps under one symmetric KMS key.

    Args:
        name: The ARN of the key, or of an alias. An alias is resolved on first use, once: a process
            stays with the key that it found.
        setting: Names the entry that lists this provider, for messages.
        connect: Builds a client of KMS, or returns why it cannot.
        concurrency: How many calls may run at once.
    """

    scheme = "aws-kms"

    def __init__(
        self,
        name: KmsArn,
        setting: str,
        connect: Connect[Kms],
        concurrency: int,
    ) -> None:
        self._name = name
        self._key = None if name.is_alias else name
        self._setting = setting
        self._concurrency = concurrency
        self._keeper = PerProcess(lambda: ClientKeeper(connect, setting))

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """``Encrypt``, and ``Decrypt`` at once.

        Only ``Decrypt`` returns the key material, and a wrapping that does not open is worthless.
        """
        try:
            return self._ask(lambda kms: self._encrypt(kms, key, context))
        except DecryptionError:
            raise GARBLED(self._setting) from None

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        """Several ``wrap`` at once, for KMS takes no batches."""
        return side_by_side(items, self._concurrency, self.wrap)

    def status(self) -> ProviderStatus:
        """``DescribeKey``: the key's state and its current material."""
        try:
            return self._ask(self._describe)
        except KeyProviderError as error:
            return ProviderStatus(healthy=False, key_ref=None, detail=str(error))

    def prepare(self, seconds: float) -> bool:
        """Fetch credentials ahead, and build the client."""
        return self._keeper.get().prepare(seconds)

    def close(self) -> None:
        """Close the connections of this process."""
        self._keeper.get().close()

    def owns(self, key_ref: str) -> bool:
        """Return whether it names this key, of any material, and in any Region if it has several.

        Before an alias is resolved, every key that it could name counts. Unwrapping finds out.
        """
        key = key_of(key_ref)
        if key is None:
            return False
        if self._key is None:
            return self._name.could_name(key)
        return self._key.is_same_key(key)

    def root_of(self, key_ref: str) -> str:
        """The key, whatever its material, and whatever its Region where it has several."""
        return root_of(key_ref)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """``Decrypt`` with this key and no other, whatever the blob says."""
        self._require_ours(wrapped)
        return self._ask(lambda kms: self._open(kms, wrapped, context))

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        """``GenerateDataKey`` of 32 bytes."""
        return self._ask(lambda kms: self._generate(kms, context))

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        """``ReEncrypt`` from this key to itself: the data key does not leave KMS."""
        self._require_ours(wrapped)
        return self._ask(lambda kms: self._re_encrypt(kms, wrapped, context))

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        """Several ``ReEncrypt`` at once."""
        return side_by_side(items, self._concurrency, self.rewrap)

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        """Several ``Decrypt`` at once."""
        return side_by_side(items, self._concurrency, self.unwrap)

    def _ask(self, question: Callable[[Kms], T]) -> T:
        """Put calls to KMS; any failure becomes ours here.

        It is raised by a frame that holds neither a key nor what the vendor raised.
        """
        keeper = self._keeper.get()
        client = keeper.client()
        result = in_our_words(lambda: question(client), self._setting)
        if isinstance(result, KeyAccessDenied):
            keeper.refused(client)
        if isinstance(result, KeyProviderError):
            raise result
        return result

    def _require_ours(self, wrapped: WrappedKey) -> None:
        if not self.owns(wrapped.key_ref):
            raise _OTHER_KEY(self._setting)
        if not 0 < len(wrapped.blob) <= _LARGEST_BLOB:
            raise DecryptionError

    def _resolve(self, kms: Kms) -> KmsArn:
        if self._key is None:
            key = KmsArn.parse(self._metadata(kms, self._name)["Arn"])
            if key is None or not self._name.could_name(key):
                raise GARBLED(self._setting)
            self._key = key
        return self._key

    def _metadata(self, kms: Kms, name: KmsArn) -> Response:
        metadata: Response = kms.describe_key(KeyId=str(name))["KeyMetadata"]
        usage, spec = _KEY_TYPE  # where KMS returns neither: the API Reference requires neither
        if (metadata.get("KeyUsage", usage), metadata.get("KeySpec", spec)) != _KEY_TYPE:
            raise WRONG_KEY_TYPE(self._setting)
        return metadata

    def _describe(self, kms: Kms) -> ProviderStatus:
        key = self._resolve(kms)
        metadata = self._metadata(kms, key)
        self._require_response_of(key, metadata["Arn"])
        current = key_ref(key, metadata.get("CurrentKeyMaterialId"))
        fault = why_unusable(metadata["KeyState"])
        detail = f"{self._setting}: {fault}" if fault else ""
        return ProviderStatus(healthy=not fault, key_ref=current, detail=detail)

    def _generate(self, kms: Kms, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        key = self._resolve(kms)
        response = kms.generate_data_key(
            KeyId=str(key),
            NumberOfBytes=DATA_KEY_BYTES,
            EncryptionContext=context.to_mapping(),
        )
        self._require_response_of(key, response["KeyId"])
        wrapped = self._wrapped(key, response.get("KeyMaterialId"), response["CiphertextBlob"])
        return self._data_key(response), wrapped

    def _encrypt(self, kms: Kms, data_key: DataKey, context: KeyContext) -> WrappedKey:
        key = self._resolve(kms)
        response = kms.encrypt(
            KeyId=str(key),
            Plaintext=bytes(data_key),
            EncryptionContext=context.to_mapping(),
        )
        self._require_response_of(key, response["KeyId"])
        blob = response["CiphertextBlob"]
        opened, material = self._decrypt(kms, blob, context)
        try:
            verify_key(opened, context, key_check(data_key, context))
        finally:
            opened.wipe()
        return self._wrapped(key, material, blob)

    def _open(self, kms: Kms, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        self._resolve(kms)
        self._require_ours(wrapped)
        return self._decrypt(kms, wrapped.blob, context)[0]

    def _decrypt(self, kms: Kms, blob: bytes, context: KeyContext) -> tuple[DataKey, str | None]:
        key = self._resolve(kms)
        response = kms.decrypt(
            KeyId=str(key), CiphertextBlob=blob, EncryptionContext=context.to_mapping()
        )
        self._require_response_of(key, response["KeyId"])
        return self._data_key(response), response.get("KeyMaterialId")

    def _re_encrypt(self, kms: Kms, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        key = self._resolve(kms)
        self._require_ours(wrapped)
        encryption_context = context.to_mapping()
        response = kms.re_encrypt(
            CiphertextBlob=wrapped.blob,
            SourceKeyId=str(key),
            SourceEncryptionContext=encryption_context,
            DestinationKeyId=str(key),
            DestinationEncryptionContext=encryption_context,
        )
        self._require_response_of(key, response["SourceKeyId"])
        self._require_response_of(key, response["KeyId"])
        material = response.get("DestinationKeyMaterialId")
        return self._wrapped(key, material, response["CiphertextBlob"])

    def _data_key(self, response: Response) -> DataKey:
        """The data key in a response. Ours have 32 bytes: another length is a fault of KMS's."""
        if len(response["Plaintext"]) != DATA_KEY_BYTES:
            raise GARBLED(self._setting)
        return DataKey(response["Plaintext"])

    def _wrapped(self, key: KmsArn, material: str | None, blob: bytes) -> WrappedKey:
        if not blob:
            raise GARBLED(self._setting)
        return WrappedKey(self.scheme, key_ref(key, material), blob)

    def _require_response_of(self, key: KmsArn, answered: str) -> None:
        if answered != str(key):
            raise outage("KMS answered for another key.")(self._setting)


def from_spec(spec: ProviderSpec) -> AwsKms:
    """The provider whose key or alias the URI names; asks neither KMS nor for credentials yet.

    Raises:
        KeyProviderConfigError: It is not the ARN of a KMS key or alias; names the setting.
    """
    name = KmsArn.parse(spec.location)
    if name is None or spec.options:
        raise _BAD_ARN(spec.setting)
    build = partial(connect, name, spec.concurrency, spec.setting)
    return AwsKms(name, spec.setting, build, spec.concurrency)
