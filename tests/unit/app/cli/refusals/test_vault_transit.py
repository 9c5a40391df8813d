"""Keys, tokens and certificates that a real Vault server, or ``vault-transit``, does not accept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.errors import DecryptionError
from tests.support.certificates import Certificate, make_certificate
from tests.support.openbao import OpenBao, least_privilege, openbao_server
from tests.support.ports import free_port
from tests.support.terminal import Terminal, faults
from tests.unit.app.cli.refusals.conftest import ESCROW, FIRST, Listing, badly_kept, write

DENIED = "Vault denies this call: the token is not valid, or its policy does not allow it."
LOGIN_REFUSED = "Vault refuses the login."


class Vault:
    """A key of a Vault server, and token files for it."""

    def __init__(self, server: OpenBao, directory: Path, **options: Any) -> None:
        self.server = server
        self.directory = directory
        self.key = server.make_key(**options)
        self.token = server.token(self.key)

    def uri(self, *, token: str = "", file: Path | None = None, options: str = "") -> str:
        path = file or write(self.directory / "token", token or self.token)
        place = f"{self.server.address}/transit/{self.key}"
        return f"vault-transit:{place}?token_file={path}{options}"

    def destroy(self) -> None:
        """Delete the key."""
        path = f"transit/keys/{self.key}"
        self.server.api("POST", f"{path}/config", {"deletion_allowed": True})
        self.server.api("DELETE", path)

    def withdraw(self, path: str) -> None:
        """Take one permission away."""
        allowed = least_privilege("transit", self.key)
        del allowed[f"transit/{path}/{self.key}"]
        self.server.allow(self.key, allowed)


@pytest.fixture
def vault(openbao: OpenBao, tmp_path: Path) -> Vault:
    return Vault(openbao, tmp_path)


def test_a_key_with_the_least_privilege_passes(listing: Listing, vault: Vault) -> None:
    uri = vault.uri()
    both = {"STRONGROOM_KEYS": f"{uri} {listing.key_file}", "STRONGROOM_ESCROW_KEYS": uri}
    assert listing.passes(**both)


def test_a_key_that_is_not_derived(listing: Listing, openbao: OpenBao, tmp_path: Path) -> None:
    words = "the transit key must be of a type that encrypts, and made with derived=true."
    uri = Vault(openbao, tmp_path, derived=False).uri()
    assert listing.first(uri) == [FIRST + words]
    assert listing.escrow(uri) == [ESCROW + words]


def test_a_key_that_is_not_there(listing: Listing, vault: Vault) -> None:
    vault.destroy()
    assert listing.first(vault.uri()) == [
        FIRST + "Vault has no such transit key, mount or namespace."
    ]


def test_another_key_of_the_same_name(bare: Terminal, vault: Vault) -> None:
    bare.environ["STRONGROOM_KEYS"] = vault.uri()
    bare.answer("init")
    vault.destroy()
    vault.server.make_key(name=vault.key)
    told = faults(bare)
    assert told[0] == f"{FIRST}{DecryptionError()}"
    assert told[1].startswith("STRONGROOM_KEYS: the system data key does not open: ")


@pytest.mark.parametrize("path", ["datakey/plaintext", "encrypt", "decrypt", "rewrap", "keys"])
def test_a_token_that_lacks_one_permission(listing: Listing, vault: Vault, path: str) -> None:
    vault.withdraw(path)
    assert listing.first(vault.uri()) == [FIRST + DENIED]


@pytest.mark.parametrize("path", ["encrypt", "decrypt", "rewrap", "keys"])
def test_an_escrow_token_that_lacks_one_permission(
    listing: Listing, vault: Vault, path: str
) -> None:
    vault.withdraw(path)
    assert listing.escrow(vault.uri()) == [ESCROW + DENIED]


@pytest.mark.parametrize("how", ["missing", "unreadable", "a directory", "readable by others"])
def test_an_unsafe_token_file_is_refused(
    listing: Listing, vault: Vault, tmp_path: Path, how: str
) -> None:
    path, words = badly_kept(tmp_path, vault.token)[how]
    assert listing.first(vault.uri(file=path)) == [f"{FIRST}token_file: {words}"]


@pytest.mark.parametrize("text", ["\n", "two words"])
def test_a_malformed_token_file_is_refused(listing: Listing, vault: Vault, text: str) -> None:
    words = "token_file: the file must hold one credential."
    assert listing.first(vault.uri(token=text)) == [FIRST + words]


def test_an_unknown_token_is_refused(listing: Listing, vault: Vault) -> None:
    (told,) = listing.first(vault.uri(token="s.unknown"))
    assert told.startswith(FIRST + LOGIN_REFUSED)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secured(
    certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenBao]:
    """A server of our own that speaks TLS, and that may be sealed."""
    with openbao_server(tmp_path_factory.mktemp("secured"), certificate=certificate) as server:
        yield server


def test_a_certificate_of_another_authority(
    listing: Listing, secured: OpenBao, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path).ca_file
    told = listing.alone(Vault(secured, tmp_path).uri(options=f"&ca_file={other}"))
    assert told[0].startswith(f"{FIRST}Vault could not be asked. The TLS connection failed")


def test_a_malformed_ca_file_is_refused(listing: Listing, secured: OpenBao, tmp_path: Path) -> None:
    uri = Vault(secured, tmp_path).uri(options=f"&ca_file={tmp_path / 'none'}")
    words = "ca_file must name a readable file of PEM certificates."
    assert listing.first(uri) == [FIRST + words]


def test_a_sealed_vault(
    listing: Listing, secured: OpenBao, certificate: Certificate, tmp_path: Path
) -> None:
    uri = Vault(secured, tmp_path).uri(options=f"&ca_file={certificate.ca_file}")
    assert listing.passes(STRONGROOM_KEYS=f"{uri} {listing.key_file}")
    secured.seal()
    try:
        told = listing.alone(uri)
    finally:
        secured.unseal()
    assert told[0] == f"{FIRST}Vault is sealed or in maintenance."


def test_an_address_where_nobody_listens(listing: Listing, vault: Vault) -> None:
    uri = vault.uri().replace(vault.server.host, f"127.0.0.1:{free_port()}")
    told = listing.alone(uri)
    assert told[0] == f"{FIRST}Vault could not be asked. The connection failed."
