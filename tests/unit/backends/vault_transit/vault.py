"""A transit key of a real server, and providers on it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.provider import WrappedKey
from backends.provider_uri import parse_spec
from backends.vault_transit.provider import VaultTransit, from_spec
from config.files import Files
from tests.support.openbao import OpenBao

SETTING = "STRONGROOM_KEYS (entry 1)"
CONTEXT = KeyContext("dep_1", "acc_1", "dk_1")

Call = Callable[[VaultTransit, DataKey, WrappedKey], object]
CALLS: Mapping[str, Call] = {
    "generate": lambda provider, _key, _wrapped: provider.generate(CONTEXT),
    "wrap": lambda provider, key, _wrapped: provider.wrap(key, CONTEXT),
    "unwrap": lambda provider, _key, wrapped: provider.unwrap(wrapped, CONTEXT),
    "rewrap": lambda provider, _key, wrapped: provider.rewrap(wrapped, CONTEXT),
}
"""Everything that is asked of a provider while it serves."""


class Vault:
    """One transit key, and a directory for the credentials of those who use it.

    Attributes:
        server: Where the key is.
        mount: Its engine.
        key: Its name, and that of the policy with the least privilege for it.
    """

    def __init__(self, server: OpenBao, directory: Path, *, mount: str = "transit") -> None:
        self.server = server
        self.mount = mount
        self.key = server.make_key(mount)
        self._directory = directory
        self._providers: list[VaultTransit] = []

    def secret(self, name: str, content: str) -> Path:
        """A file of mode 0600."""
        self._directory.mkdir(exist_ok=True)
        path = self._directory / name
        path.write_text(content)
        path.chmod(0o600)
        return path

    def provider(self, query: str = "", *, host: str = "", scheme: str = "") -> VaultTransit:
        """A new provider; without a query it logs in with a token of the least privilege."""
        if not query:
            query = f"token_file={self.secret('token', self.server.token(self.key))}"
        uri = self.uri(query, host=host, scheme=scheme)
        self._providers.append(
            from_spec(parse_spec(uri, setting=SETTING, concurrency=8, files=Files()))
        )
        return self._providers[-1]

    def uri(self, query: str, *, host: str = "", scheme: str = "") -> str:
        """The entry of the key in a setting."""
        scheme = scheme or self.server.address.partition(":")[0]
        address = f"{scheme}://{host or self.server.host}/{self.mount}/{self.key}"
        return f"vault-transit:{address}?{query}"

    def app_role(self, *, auth_mount: str = "approle", **options: object) -> str:
        """A new AppRole with the key's policy: the options of a URI that logs in by it."""
        role = f"auth/{auth_mount}/role/{self.key}"
        self.server.api("POST", role, {"token_policies": [self.key], **options})
        role_id = self.server.api("GET", f"{role}/role-id")["data"]["role_id"]
        role_id_file = self.secret("role-id", role_id)
        return f"role_id_file={role_id_file}&secret_id_file={self.new_secret_id(auth_mount)}"

    def new_secret_id(self, auth_mount: str = "approle") -> Path:
        """Put a new secret id of the AppRole in the place of the one before."""
        made = self.server.api("POST", f"auth/{auth_mount}/role/{self.key}/secret-id")
        return self.secret("secret-id", made["data"]["secret_id"])

    def change_key(self, **options: object) -> None:
        """Change the key's configuration."""
        self.server.api("POST", f"{self.mount}/keys/{self.key}/config", options)

    def rotate(self) -> None:
        """Give the key a new version."""
        self.server.api("POST", f"{self.mount}/keys/{self.key}/rotate")

    def delete_key(self) -> None:
        """Destroy the key."""
        self.change_key(deletion_allowed=True)
        self.server.api("DELETE", f"{self.mount}/keys/{self.key}")

    def close(self) -> None:
        """Close the providers."""
        for provider in self._providers:
            provider.close()
