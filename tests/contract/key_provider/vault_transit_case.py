"""The case of ``vault-transit``: a real OpenBao behind a proxy that fails as networks do."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from backends.errors import KeyAccessDenied, KeyDisabled, KeyProviderError, KeyUnavailable
from backends.provider_uri import ProviderSpec, parse_spec
from backends.vault_transit import connection
from config.files import Files
from tests.contract.key_provider.case import ProviderCase
from tests.support.faulty_proxy import Fault, FaultyProxy, answer, drip, hang, reset, truncate
from tests.support.openbao import OpenBao, least_privilege

NETWORK_FAULTS: Mapping[str, Fault] = {
    "reset": reset,
    "cut off": truncate(300),
    "not JSON": answer(200, b"<html>It works!</html>"),
    "JSON, but no object": answer(200, ["data"]),
    "redirecting": answer(307, {}, Location="http://127.0.0.1:1/"),
    "behind": answer(412, {"errors": ["required index state not present"]}),
    "throttling": answer(429, {"errors": ["rate limit quota exceeded"]}),
    "recovery standby": answer(472, {}),
    "performance standby": answer(473, {}),
    "failing": answer(500, {"errors": ["internal error"]}),
    "behind a broken gateway": answer(502, b"Bad Gateway"),
}
SLOW_FAULTS: Mapping[str, Fault] = {"hanging": hang, "dripping": drip(0.05)}


class VaultTransitCase(ProviderCase):
    """A token with the least privilege, and keys that no other test uses."""

    forgotten: ClassVar[type[KeyProviderError]] = KeyDisabled
    misconfigurations: ClassVar[tuple[str, ...]] = (
        "no address",
        "no mount",
        "plain http to another host",
        "credentials in the address",
        "climbing mount",
        "no way to log in",
        "two ways to log in",
        "half an AppRole",
        "missing token file",
        "token readable by others",
        "empty token file",
        "two tokens in a file",
        "unknown option",
        "bad namespace",
        "bad id",
        "ca_file that is no certificate",
        "too long a name",
    )
    faults: ClassVar[Mapping[str, type[KeyProviderError]]] = {
        **dict.fromkeys((*NETWORK_FAULTS, *SLOW_FAULTS), KeyUnavailable),
        "refusing connections": KeyUnavailable,
        "sealed": KeyUnavailable,
        "denying by policy": KeyAccessDenied,
        "denying the token": KeyAccessDenied,
        "soft-deleted": KeyDisabled,
    }

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self._directory: Path = request.getfixturevalue("tmp_path")
        self._server: OpenBao = request.getfixturevalue("openbao")
        self._proxy = FaultyProxy(self._server.host)
        request.addfinalizer(self._proxy.close)
        self._key = self._server.make_key()
        self._unrelated = self._server.make_key()
        self._write("token", self._token())

    def spec(self) -> ProviderSpec:
        return self._spec(self._key)

    def unrelated_spec(self) -> ProviderSpec:
        return self._spec(self._unrelated)

    def rotate(self) -> None:
        self._server.api("POST", f"transit/keys/{self._key}/rotate")

    def forget_rotated(self) -> None:
        path = f"transit/keys/{self._key}"
        newest = self._server.api("GET", path)["data"]["latest_version"]
        self._server.api("POST", f"{path}/config", {"min_decryption_version": newest})

    def fault(self, name: str) -> AbstractContextManager[None]:
        if name in NETWORK_FAULTS:
            return self._proxy.failing(NETWORK_FAULTS[name])
        if name in SLOW_FAULTS:
            return self._slow(SLOW_FAULTS[name])
        return {
            "refusing connections": self._proxy.refusing,
            "sealed": self._sealed,
            "denying by policy": self._denied_by_policy,
            "denying the token": self._denied_by_token,
            "soft-deleted": self._soft_deleted,
        }[name]()

    def misconfigured(self, name: str) -> ProviderSpec:
        token = f"token_file={self._directory}/token"
        self._write("bad", "{}").chmod(0o640)
        self._write("empty", "")
        self._write("two", "s.one\ns.two")
        address = f"http://{self._proxy.host}"
        uri = {
            "no address": f"transit/key?{token}",
            "no mount": f"{address}/key?{token}",
            "plain http to another host": f"http://192.0.2.1:8200/transit/key?{token}",
            "credentials in the address": f"http://me:word@{self._proxy.host}/transit/key?{token}",
            "climbing mount": f"{address}/transit/../sys/key?{token}",
            "no way to log in": f"{address}/transit/key",
            "two ways to log in": f"{address}/transit/key?{token}&kubernetes_role=strongroom",
            "half an AppRole": f"{address}/transit/key?secret_id_file={self._directory}/token",
            "missing token file": f"{address}/transit/key?token_file={self._directory}/missing",
            "token readable by others": f"{address}/transit/key?token_file={self._directory}/bad",
            "empty token file": f"{address}/transit/key?token_file={self._directory}/empty",
            "two tokens in a file": f"{address}/transit/key?token_file={self._directory}/two",
            "unknown option": f"{address}/transit/key?{token}&verify=false",
            "bad namespace": f"{address}/transit/key?{token}&namespace=../sys",
            "bad id": f"{address}/transit/key?{token}&id=a/b",
            "ca_file that is no certificate": (
                f"https://{self._proxy.host}/transit/key?{token}&ca_file={self._directory}/bad"
            ),
            "too long a name": f"{address}/{'m' * 128}/{'m' * 128}/{'m' * 128}/{'k' * 128}?{token}",
        }[name]
        return self._parse(uri)

    def _spec(self, key: str) -> ProviderSpec:
        address = f"http://{self._proxy.host}/transit/{key}"
        return self._parse(f"{address}?token_file={self._directory}/token")

    def _parse(self, uri: str) -> ProviderSpec:
        return parse_spec(
            f"vault-transit:{uri}", setting="STRONGROOM_KEYS[1]", concurrency=8, files=Files()
        )

    def _token(self) -> str:
        return self._server.token(self._key, self._unrelated)

    def _write(self, name: str, content: str) -> Path:
        path = self._directory / name
        path.write_text(content)
        path.chmod(0o600)
        return path

    @contextmanager
    def _slow(self, fault: Fault) -> Iterator[None]:
        """Slow for longer than a call may take, which is less here than in a server."""
        with pytest.MonkeyPatch.context() as patch, self._proxy.failing(fault):
            patch.setattr(connection, "CALL_SECONDS", 0.3)
            yield

    @contextmanager
    def _sealed(self) -> Iterator[None]:
        self._server.seal()
        try:
            yield
        finally:
            self._server.unseal()

    @contextmanager
    def _denied_by_policy(self) -> Iterator[None]:
        self._server.forbid(self._key)
        try:
            yield
        finally:
            self._server.allow(self._key, least_privilege("transit", self._key))

    @contextmanager
    def _denied_by_token(self) -> Iterator[None]:
        token = (self._directory / "token").read_text()
        self._server.api("POST", "auth/token/revoke", {"token": token})
        try:
            yield
        finally:
            self._write("token", self._token())

    @contextmanager
    def _soft_deleted(self) -> Iterator[None]:
        path = f"transit/keys/{self._key}"
        self._server.api("DELETE", f"{path}/soft-delete")
        try:
            yield
        finally:
            self._server.api("POST", f"{path}/soft-delete-restore")
