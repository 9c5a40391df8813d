"""Parses a ``vault-transit:`` URI, and checks it without the network.

``vault-transit:https://HOST:PORT/MOUNT/KEY?token_file=…``; ``docs/keys/vault-transit.md`` has every
option.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, NoReturn
from urllib.parse import SplitResult, urlsplit

from backends.errors import KeyProviderConfigError
from backends.private_file import read_file
from backends.provider_uri import ProviderSpec, is_loopback

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 # a path

_LONGEST_SUFFIX = len(":v") + 10  # digits of a key version
_LONGEST_KEY_REF = 512
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LOCATION = re.compile(r"https?://[A-Za-z0-9_.:\[\]-]+/[A-Za-z0-9_./-]+")
_HOST_NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([a-z0-9_.-]{0,251}[a-z0-9])?")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}")
_ID = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,128}")
_ROLE = re.compile(r"[\x21-\x7e]{1,256}")
_CREDENTIAL = re.compile(rb"\s*(?P<credential>[\x21-\x7e]{1,8192})\s*")
_AUTH_MOUNT = "auth_mount"
_PLACES = {"ca_file", "id", "namespace"}
_WAYS_TO_LOG_IN = (
    {"token_file"},
    {"role_id_file"},
    {"role_id_file", "secret_id_file"},
    {"kubernetes_role"},
    {"kubernetes_role", "jwt_file"},
)


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """A file that holds one credential; read at every login, so that it may be replaced.

    Attributes:
        option: The setting and the option that names the file, for messages.
        contents: Reads the file.
    """

    option: str
    path: Path
    contents: Callable[[Path], bytes] = field(repr=False)

    def read(self) -> str:
        """The credential, without the white space around it.

        Raises:
            KeyProviderConfigError: The file is unsafe, or does not hold one visible ASCII word.
        """
        found = _CREDENTIAL.fullmatch(read_file(self.contents, self.path, self.option))
        if not found:
            raise KeyProviderConfigError(f"{self.option}: the file must hold one credential.")
        return found["credential"].decode()


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Logs in with a token that someone else made."""

    looked_at: ClassVar[str] = "the token in token_file"

    token: CredentialFile


@dataclass(frozen=True, slots=True)
class AppRole:
    """Logs in at ``auth/`` and ``mount``.

    A role of ``bind_secret_id=false`` has no secret id.
    """

    looked_at: ClassVar[str] = "role_id_file, secret_id_file and auth_mount"

    role_id: CredentialFile
    secret_id: CredentialFile | None
    mount: str


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """Logs in at ``auth/`` and ``mount`` with the pod's service account."""

    looked_at: ClassVar[str] = "kubernetes_role, jwt_file and auth_mount"

    role: str
    jwt: CredentialFile
    mount: str


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """One key of one Vault.

    Attributes:
        setting: The setting and the entry's place in it, for messages.
        address: ``https://host:port``, without a path.
        mount: Where the transit engine is, of one or more segments.
        key: The key's name.
        namespace: Empty for the root namespace.
        ca_file: The certificates to trust; ``None`` for the public ones.
        key_name: ``id/mount/key``, how wrappings name the key, without its version.
        pool_size: The number of connections that stay open.
    """

    setting: str
    address: str
    mount: str
    key: str
    namespace: str
    ca_file: str | None
    login: TokenFile | AppRole | Kubernetes
    key_name: str
    pool_size: int = field(repr=False)


def parse_settings(spec: ProviderSpec) -> VaultSettings:
    """The settings of one keyring entry; every file it names is looked at.

    Raises:
        KeyProviderConfigError: Names the setting and the option, never a value.
    """
    url = _parse_url(spec)
    mount, _, key = url.path.removeprefix("/").rpartition("/")
    if not mount or not all(_SEGMENT.fullmatch(part) for part in (*mount.split("/"), key)):
        _refuse(spec, "the address must end in /MOUNT/KEY")
    namespace = _namespace(spec)
    address = f"{_host(url)}:{url.port or _DEFAULT_PORTS[url.scheme]}"
    instance = spec.options.get("id") or "/".join(filter(None, (address, namespace)))
    key_name = f"{instance}/{mount}/{key}"
    if len(key_name) + _LONGEST_SUFFIX > _LONGEST_KEY_REF:
        _refuse(spec, "the id, the mount and the key are too long together")
    return VaultSettings(
        setting=spec.setting,
        address=f"{url.scheme}://{address}",
        mount=mount,
        key=key,
        namespace=namespace,
        ca_file=_ca_file(spec, url),
        login=_login(spec),
        key_name=key_name,
        pool_size=spec.concurrency,
    )


def _refuse(spec: ProviderSpec, fault: str) -> NoReturn:
    raise KeyProviderConfigError(f"{spec.setting}: {fault}.") from None


def _parse_url(spec: ProviderSpec) -> SplitResult:
    if not _LOCATION.fullmatch(spec.location):
        _refuse(spec, "the address must read https://HOST:PORT/MOUNT/KEY, without credentials")
    try:
        url = urlsplit(spec.location)
        is_valid = url.port != 0 and _is_host(url)
    except ValueError:
        _refuse(spec, "the address is malformed")
    if not is_valid:
        _refuse(spec, "the address names no valid host and port")
    if url.scheme == "http" and not is_loopback(url.hostname):
        _refuse(spec, "plain http is allowed to this host only; use https")
    return url


def _is_host(url: SplitResult) -> bool:
    host = url.hostname or ""
    try:
        return bool(ip_address(host))
    except ValueError:
        return bool(_HOST_NAME.fullmatch(host))


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"[{host}]" if ":" in host else host


def _namespace(spec: ProviderSpec) -> str:
    namespace = spec.options.get("namespace", "").strip("/")
    if "namespace" in spec.options and not all(
        _SEGMENT.fullmatch(part) for part in namespace.split("/")
    ):
        _refuse(spec, "namespace must be a path of letters, digits, dots, dashes and underscores")
    if "id" in spec.options and not _ID.fullmatch(spec.options["id"]):
        _refuse(spec, "id must be 1 to 128 letters, digits, dots, colons, dashes and underscores")
    return namespace


def _ca_file(spec: ProviderSpec, url: SplitResult) -> str | None:
    ca_file = spec.options.get("ca_file")
    if ca_file is None:
        return None
    if url.scheme != "https":
        _refuse(spec, "ca_file is for https only")
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError):
        _refuse(spec, "ca_file must name a readable file of PEM certificates")
    read_file(spec.files.read_bundle, Path(ca_file), f"{spec.setting}: ca_file")
    return ca_file


def _login(spec: ProviderSpec) -> TokenFile | AppRole | Kubernetes:
    options = spec.options
    if options.keys() - _PLACES - {_AUTH_MOUNT} not in _WAYS_TO_LOG_IN:
        _refuse(
            spec,
            "the options must be token_file, or role_id_file (with secret_id_file or without), or"
            " kubernetes_role (with jwt_file or without); and may be ca_file, id, namespace,"
            " auth_mount",
        )
    if "token_file" in options:
        if _AUTH_MOUNT in options:
            _refuse(spec, "auth_mount is for AppRole and Kubernetes, not for token_file")
        return TokenFile(_file(spec, options, "token_file", spec.files.read_private))
    if "role_id_file" in options:
        return _app_role(spec)
    return _kubernetes(spec)


def _app_role(spec: ProviderSpec) -> AppRole:
    mount = _auth_mount(spec, "approle")
    if "secret_id_file" not in spec.options:  # then the role id alone is the secret
        role_id = _file(spec, spec.options, "role_id_file", spec.files.read_private)
        return AppRole(role_id, None, mount)
    role_id = _file(spec, spec.options, "role_id_file", spec.files.read_trusted)
    secret_id = _file(spec, spec.options, "secret_id_file", spec.files.read_private)
    return AppRole(role_id, secret_id, mount)


def _kubernetes(spec: ProviderSpec) -> Kubernetes:
    options = spec.options
    if not _ROLE.fullmatch(options["kubernetes_role"]):
        _refuse(spec, "kubernetes_role must be 1 to 256 visible ASCII characters")
    files = {"jwt_file": SERVICE_ACCOUNT_TOKEN} | dict(options)
    jwt = _file(spec, files, "jwt_file", spec.files.read_trusted)
    return Kubernetes(options["kubernetes_role"], jwt, _auth_mount(spec, "kubernetes"))


def _auth_mount(spec: ProviderSpec, default: str) -> str:
    mount = spec.options.get(_AUTH_MOUNT, default).strip("/").removeprefix("auth/")
    if not all(_SEGMENT.fullmatch(part) for part in mount.split("/")):
        _refuse(spec, "auth_mount must be a path of letters, digits, dots, dashes and underscores")
    return mount


def _file(
    spec: ProviderSpec,
    options: Mapping[str, str],
    name: str,
    contents: Callable[[Path], bytes],
) -> CredentialFile:
    file = CredentialFile(f"{spec.setting}: {name}", Path(options[name]), contents)
    file.read()
    return file
