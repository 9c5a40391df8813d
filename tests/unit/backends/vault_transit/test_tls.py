"""A real certificate authority, and one that did not sign."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.errors import KeyUnavailable
from backends.vault_transit.provider import VaultTransit
from tests.support.certificates import Certificate, make_certificate
from tests.support.openbao import openbao_server
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secured(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """A key of a server that speaks TLS only."""
    directory = tmp_path_factory.mktemp("tls")
    with openbao_server(directory, certificate=certificate) as server:
        vault = Vault(server, directory)
        yield vault
        vault.close()


def provider_trusting(secured: Vault, ca_file: Path | None) -> VaultTransit:
    query = f"token_file={secured.secret('token', secured.server.token(secured.key))}"
    return secured.provider(query if ca_file is None else f"{query}&ca_file={ca_file}")


def test_a_server_signed_by_the_given_ca_serves(secured: Vault, certificate: Certificate) -> None:
    provider = provider_trusting(secured, certificate.ca_file)
    key, wrapped = provider.generate(CONTEXT)
    assert provider.unwrap(wrapped, CONTEXT) == key


def test_a_server_signed_by_another_ca_is_refused(secured: Vault, tmp_path: Path) -> None:
    provider = provider_trusting(secured, make_certificate(tmp_path).ca_file)
    with pytest.raises(KeyUnavailable, match="TLS"):
        provider.generate(CONTEXT)


def test_a_private_ca_is_not_trusted_unless_given(secured: Vault) -> None:
    with pytest.raises(KeyUnavailable, match="TLS"):
        provider_trusting(secured, None).generate(CONTEXT)


def test_a_ca_from_the_environment_is_not_trusted(
    secured: Vault, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "VAULT_CACERT"):
        monkeypatch.setenv(name, str(certificate.ca_file))
    with pytest.raises(KeyUnavailable, match="TLS"):
        provider_trusting(secured, None).generate(CONTEXT)


def test_a_certificate_for_another_name_is_refused(
    secured: Vault, certificate: Certificate
) -> None:
    token = secured.secret("token", secured.server.token(secured.key))
    provider = secured.provider(
        f"token_file={token}&ca_file={certificate.ca_file}",
        host=secured.server.host.replace("127.0.0.1", "localhost"),
    )
    assert "TLS" in provider.status().detail
