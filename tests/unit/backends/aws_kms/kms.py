"""KMS for tests: moto in this process, corrected where it is not KMS.

moto opens wrappings for another key than the one asked for, calls garbage a lack of permission,
serves keys that are disabled or wait for their deletion, and knows no key material. What KMS does
instead is from its API Reference.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any, cast
from uuid import uuid4

import pytest
from botocore import handlers, session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.kms.models import kms_backends

ACCOUNT = "123456789012"
REGION = "eu-west-1"
VENDOR_TEXT = "User: arn:aws:iam::123456789012:user/vendor-words is not authorized"

Body = Mapping[str, Any]
Fault = Callable[[str, dict[str, Any]], AWSResponse | None]
"""Given the operation and what KMS would answer, answers or raises; ``None`` changes nothing."""


def answer(status: int, body: Body | bytes) -> AWSResponse:
    """An HTTP answer with this body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return AWSResponse(f"https://kms.{REGION}.amazonaws.com/", status, {}, _Raw(content))


def refusal(code: str, status: int = 400) -> AWSResponse:
    """An error as KMS words it."""
    return answer(status, {"__type": code, "message": VENDOR_TEXT})


class Kms:
    """Root keys, what was asked about them, and what goes wrong.

    Attributes:
        asked: Operations and their parameters, in order.
        signed_by: The access key id of each request.
        fault: What happens to every answer.
        elsewhere: A URL that every request is really sent to instead.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.signed_by: list[str] = []
        self.fault: Fault | None = None
        self.elsewhere: str | None = None
        self._known_materials: dict[str, list[str]] = {}
        self._made_under: dict[str, str] = {}

    def create_key(self, *, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> str:
        """The ARN of a new key."""
        key = _backend().create_key(None, usage, spec, "", None)
        return str(key.arn)

    def create_multi_region_key(self, *regions: str) -> list[str]:
        """The ARNs of one key in several Regions; the first is ``REGION``."""
        key = _backend().create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None, True)
        # moto's id has hyphens that KMS's has not, and is too long for moto's own ciphertexts.
        key.id = key.id.replace("-", "").replace("mrk", "mrk-")
        key.arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key.id}"
        _backend().keys[key.id] = key
        replicas = [_backend().replicate_key(key.id, region) for region in regions]
        return [key.arn, *(replica.arn for replica in replicas)]

    def point_alias(self, name: str, arn: str) -> str:
        """The ARN of the alias, made or moved to this key."""
        backend = _backend()
        if backend.alias_exists(f"alias/{name}"):
            backend.update_alias(_id(arn), f"alias/{name}")
        else:
            backend.create_alias(_id(arn), f"alias/{name}")
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/{name}"

    def set_state(self, arn: str, state: str) -> None:
        """Put the key into one of KMS's key states."""
        _backend().keys[_id(arn)].key_state = state

    def rotate(self, arn: str) -> str:
        """Give the key a new material, and tell its id."""
        self._materials(_id(arn)).append(_material())
        return self._materials(_id(arn))[-1]

    def delete_old_materials(self, arn: str) -> None:
        """Leave the current material alone, as one may with imported materials."""
        del self._materials(_id(arn))[:-1]

    def serve(
        self, request: AWSPreparedRequest, event_name: str, **kwargs: object
    ) -> AWSResponse | None:
        """Botocore's ``before-send`` event: what it returns is taken for the answer."""
        if self.elsewhere:
            request.url = self.elsewhere
            return None
        operation = event_name.rsplit(".", 1)[-1]
        body = json.loads(request.body)
        self.asked.append((operation, body))
        self.signed_by.append(_access_key(request))
        refused = self._refuse(operation, body)
        if refused is not None:
            return self._broken(operation, {}) or refused
        answered = cast("AWSResponse", botocore_stubber(event_name, request, **kwargs))
        content = json.loads(answered.content)
        if answered.status_code == 200:
            content = self._with_material(operation, body, content)
        return self._broken(operation, content) or answer(answered.status_code, content)

    def _materials(self, key_id: str) -> list[str]:
        """The materials of a key, one at first, whichever thread asks first."""
        return self._known_materials.setdefault(key_id, [_material()])

    def _broken(self, operation: str, content: dict[str, Any]) -> AWSResponse | None:
        return self.fault(operation, content) if self.fault else None

    def _refuse(self, operation: str, body: Body) -> AWSResponse | None:
        if operation == "DescribeKey":
            return None
        key_id = body.get("KeyId") or body.get("SourceKeyId")
        key = _backend().keys.get(_id(cast("str", key_id)))
        if key is not None and key.key_state == "Disabled":
            return refusal("DisabledException")
        if key is not None and key.key_state != "Enabled":
            return refusal("KMSInvalidStateException")
        return self._refuse_blob(body, cast("str", key_id)) if "CiphertextBlob" in body else None

    def _refuse_blob(self, body: Body, key_arn: str) -> AWSResponse | None:
        made_by = base64.b64decode(body["CiphertextBlob"])[:36].decode(errors="replace")
        if made_by not in _backend().keys:
            return refusal("InvalidCiphertextException")
        if made_by != _id(key_arn):
            return refusal("IncorrectKeyException")
        material = self._made_under.get(body["CiphertextBlob"])
        if material is not None and material not in self._materials(made_by):
            return refusal("KMSInvalidStateException")
        return None

    def _with_material(self, operation: str, body: Body, content: dict[str, Any]) -> dict[str, Any]:
        if operation == "DescribeKey":
            current = self._materials(content["KeyMetadata"]["KeyId"])[-1]
            metadata = {**content["KeyMetadata"], "CurrentKeyMaterialId": current}
            return {"KeyMetadata": metadata}
        current = self._materials(_id(content["KeyId"]))[-1]
        if operation == "Decrypt":
            return {**content, "KeyMaterialId": self._made_under[body["CiphertextBlob"]]}
        self._made_under[content["CiphertextBlob"]] = current
        told = {"GenerateDataKey": "KeyMaterialId", "ReEncrypt": "DestinationKeyMaterialId"}
        return {**content, told[operation]: current} if operation in told else content


@contextmanager
def kms_in_process() -> Iterator[Kms]:
    """KMS, and credentials for it, for every client that is built meanwhile."""
    kms = Kms()
    ours = ("before-send.kms", kms.serve)
    with pytest.MonkeyPatch.context() as patch:
        # moto makes an RSA key of each symmetric key, too, and listens to every service for clients
        # other than botocore. Both take longer than most tests.
        patch.setattr("moto.kms.models.generate_private_key", lambda _spec: None)
        patch.setattr("moto.core.models.RESPONSES_METHODS", [])
        patch.setattr(session, "create_loader", _loader_of)
        patch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, ours])
        with mock_aws():
            yield kms


# Reading botocore's models is four fifths of building a client: here, once for all clients.
_loader_of = cache(create_loader)


class _Raw(BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _access_key(request: AWSPreparedRequest) -> str:
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    return str(text.partition("Credential=")[2].partition("/")[0])


def _backend() -> Any:
    return kms_backends[ACCOUNT][REGION]


def _id(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _material() -> str:
    return uuid4().hex * 2
