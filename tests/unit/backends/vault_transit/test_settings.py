"""Options of a URI, and the name of its key in wrappings."""

from pathlib import Path

import pytest

from backends.errors import KeyProviderConfigError
from backends.provider_uri import ProviderSpec, parse_spec
from backends.vault_transit.settings import Kubernetes, VaultSettings, parse_settings
from config.files import Files
from tests.support.certificates import make_certificate
from tests.unit.backends.vault_transit.vault import SETTING


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s.token\n")
    path.chmod(0o600)
    return path


def spec(address: str, query: str) -> ProviderSpec:
    return parse_spec(
        f"vault-transit:{address}?{query}", setting=SETTING, concurrency=4, files=Files()
    )


def settings(address: str, query: str) -> VaultSettings:
    return parse_settings(spec(address, query))


@pytest.mark.parametrize(
    ("address", "options", "key_name"),
    [
        ("https://vault.example:8200/transit/key", "", "vault.example:8200/transit/key"),
        ("https://vault.example/transit/key", "", "vault.example:443/transit/key"),
        ("https://VAULT.example:8200/transit/Key", "", "vault.example:8200/transit/Key"),
        ("https://10.0.0.1:8200/a/b/c/key", "", "10.0.0.1:8200/a/b/c/key"),
        ("https://[2001:db8::1]:8200/transit/key", "", "[2001:db8::1]:8200/transit/key"),
        ("https://vault:8200/transit/key", "&namespace=a/b/", "vault:8200/a/b/transit/key"),
        ("https://vault:8200/transit/key", "&namespace=a&id=east", "east/transit/key"),
        ("http://localhost:8200/transit/key", "", "localhost:8200/transit/key"),
        ("http://127.9.9.9:8200/transit/key", "", "127.9.9.9:8200/transit/key"),
        ("http://[::1]:8200/transit/key", "", "[::1]:8200/transit/key"),
    ],
)
def test_a_key_is_named_by_where_it_is(
    token_file: Path, address: str, options: str, key_name: str
) -> None:
    assert settings(address, f"token_file={token_file}{options}").key_name == key_name


@pytest.mark.parametrize(
    "address",
    [
        "ftp://vault:8200/transit/key",
        "HTTPS://vault:8200/transit/key",
        "https:///transit/key",
        "https://vault:0/transit/key",
        "https://vault:65536/transit/key",
        "https://vault:x/transit/key",
        "https://-vault:8200/transit/key",
        "https://va..ult:8200/transit/key",
        "https://[::1:8200/transit/key",
        "https://[vault]:8200/transit/key",
        "https://vault:8200/transit/key#fragment",
        "https://vault:8200/transit/key%2f",
        "https://vault:8200/transit/ke y",
        "https://vault:8200/transit/key\n",
        "https://vault:8200/transit/",
        "https://vault:8200//key",
        "https://vault:8200/transit/./key",
        "http://localhost.example:8200/transit/key",
        "http://0.0.0.0:8200/transit/key",
        "http://[::]:8200/transit/key",
        "http://[::ffff:10.0.0.1]:8200/transit/key",
    ],
)
def test_an_address_that_is_not_plainly_one_is_refused(token_file: Path, address: str) -> None:
    with pytest.raises(KeyProviderConfigError) as caught:
        settings(address, f"token_file={token_file}")
    assert str(caught.value).startswith(f"{SETTING}: ")
    assert "vault:8200" not in str(caught.value)


@pytest.mark.parametrize("option", ["token_file", "secret_id_file", "role_id_file", "jwt_file"])
def test_a_file_that_cannot_be_read_is_named_by_its_option(token_file: Path, option: str) -> None:
    files = {
        "token_file": ["token_file"],
        "role_id_file": ["role_id_file", "secret_id_file"],
        "secret_id_file": ["role_id_file", "secret_id_file"],
        "jwt_file": ["kubernetes_role", "jwt_file"],
    }[option]
    query = "&".join(f"{name}={'/missing' if name == option else token_file}" for name in files)
    with pytest.raises(KeyProviderConfigError, match=rf"\): {option}: the file cannot be read"):
        settings("https://vault:8200/transit/key", query)


@pytest.mark.parametrize("option", ["token_file", "secret_id_file"])
def test_a_secret_that_others_may_read_is_refused(token_file: Path, option: str) -> None:
    token_file.chmod(0o644)
    query = f"{option}={token_file}"
    if option == "secret_id_file":
        query += f"&role_id_file={token_file}"
    with pytest.raises(KeyProviderConfigError, match=f"{option}: the file must be of mode 0600"):
        settings("https://vault:8200/transit/key", query)


def test_a_pods_token_may_have_the_mode_that_kubernetes_gives_it(token_file: Path) -> None:
    token_file.chmod(0o644)
    query = f"kubernetes_role=strongroom&jwt_file={token_file}"
    assert isinstance(settings("https://vault:8200/transit/key", query).login, Kubernetes)


def test_a_pods_token_is_looked_for_where_kubernetes_puts_it() -> None:
    with pytest.raises(KeyProviderConfigError, match="jwt_file: the file cannot be read"):
        settings("https://vault:8200/transit/key", "kubernetes_role=strongroom")


@pytest.mark.parametrize("role", ["", "a role", "r" * 257, "r\u00f4le"])
def test_a_role_that_is_no_name_is_refused(token_file: Path, role: str) -> None:
    with pytest.raises(KeyProviderConfigError, match="kubernetes_role must be"):
        settings("https://vault:8200/t/key", f"kubernetes_role={role}&jwt_file={token_file}")


def test_a_credential_is_read_without_the_line_end(token_file: Path) -> None:
    login = settings("https://vault:8200/transit/key", f"token_file={token_file}").login
    assert login.token.read() == "s.token"  # type: ignore[union-attr]


def test_the_longest_name_still_fits_its_column(token_file: Path) -> None:
    mount = "/".join(["m" * 100] * 4)
    room = 512 - len(f"east/{mount}/:v1234567890")
    address, query = f"https://vault:8200/{mount}/", f"id=east&token_file={token_file}"
    assert settings(address + "k" * room, query).key == "k" * room
    with pytest.raises(KeyProviderConfigError, match="too long together"):
        settings(address + "k" * (room + 1), query)


def test_certificates_that_others_may_write_are_refused(token_file: Path, tmp_path: Path) -> None:
    ca_file = make_certificate(tmp_path).ca_file
    ca_file.chmod(0o666)
    query = f"token_file={token_file}&ca_file={ca_file}"
    with pytest.raises(KeyProviderConfigError, match="ca_file: the file must not be writable"):
        settings("https://vault:8200/transit/key", query)


@pytest.mark.parametrize(
    ("given", "mount"),
    [
        ("", "kubernetes"),
        ("&auth_mount=east", "east"),
        ("&auth_mount=clusters/east/", "clusters/east"),
        ("&auth_mount=auth/clusters/east", "clusters/east"),
    ],
)
def test_a_login_may_be_mounted_anywhere(token_file: Path, given: str, mount: str) -> None:
    query = f"kubernetes_role=strongroom&jwt_file={token_file}{given}"
    login = settings("https://vault:8200/transit/key", query).login
    assert isinstance(login, Kubernetes)
    assert login.mount == mount


@pytest.mark.parametrize("mount", ["", "/", "..", "a//b", "a b", "a%252fb", "m\u00f4unt"])
def test_an_auth_mount_that_is_no_path_is_refused(token_file: Path, mount: str) -> None:
    query = f"kubernetes_role=strongroom&jwt_file={token_file}&auth_mount={mount}"
    with pytest.raises(KeyProviderConfigError, match="auth_mount must be"):
        settings("https://vault:8200/transit/key", query)


def test_a_token_file_has_no_auth_mount(token_file: Path) -> None:
    with pytest.raises(KeyProviderConfigError, match="not for token_file"):
        settings("https://vault:8200/transit/key", f"token_file={token_file}&auth_mount=east")


def test_a_role_id_that_stands_alone_is_a_secret(token_file: Path) -> None:
    token_file.chmod(0o644)
    with pytest.raises(KeyProviderConfigError, match="role_id_file: the file must be of mode"):
        settings("https://vault:8200/transit/key", f"role_id_file={token_file}")
