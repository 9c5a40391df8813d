"""Upstreams with TLS: verified, and with small buffers."""

import asyncio.sslproto
import gc
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import SettingsError
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.api import CREDENTIAL
from tests.support.gateway.rig import Rig, rig


def _server(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.file, certificate.key_file)
    return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Rig]:
    """A gateway that trusts the authority of its upstream."""
    directory = tmp_path_factory.mktemp("trusting")
    ca_file = str(certificate.ca_file)
    with rig(directory, tls=_server(certificate), STRONGROOM_GATEWAY_CA_FILE=ca_file) as running:
        yield running


def test_a_trusted_upstream_gets_the_credential(trusting: Rig) -> None:
    trusting.api.admit_to(trusting.upstream.port, scheme="https")
    assert trusting.call().status == 200
    assert trusting.upstream.requests[-1].all("Authorization") == [f"Bearer {CREDENTIAL}"]


def test_a_certificate_for_another_name_gets_nothing(trusting: Rig) -> None:
    trusting.upstream.clear()
    origin = {"scheme": "https", "host": "localhost", "port": trusting.upstream.port, "base": ""}
    trusting.api.admit_to(trusting.upstream.port, origin=origin)
    reply = trusting.call()
    assert (reply.status, reply.code) == (502, "upstream_untrusted")
    assert not trusting.upstream.raw


def test_an_old_version_of_tls_gets_nothing(tmp_path: Path, certificate: Certificate) -> None:
    old = _server(certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    for bound in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            setattr(old, bound, ssl.TLSVersion.TLSv1_1)
    ca_file = str(certificate.ca_file)
    with rig(tmp_path, tls=old, STRONGROOM_GATEWAY_CA_FILE=ca_file) as running:
        assert running.call().status == 502
        assert not running.upstream.raw


def test_an_unknown_authority_gets_nothing(tmp_path: Path, certificate: Certificate) -> None:
    with rig(tmp_path, tls=_server(certificate)) as running:
        reply = running.call()
        assert (reply.status, reply.code) == (502, "upstream_untrusted")
        assert not running.upstream.raw


def test_a_file_of_authorities_without_any_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    fault = "STRONGROOM_GATEWAY_CA_FILE: the file holds no certificates"
    with (
        pytest.raises(SettingsError, match=fault),
        rig(tmp_path, STRONGROOM_GATEWAY_CA_FILE=str(file)),
    ):
        pass


def test_a_connection_has_a_buffer_of_one_record(trusting: Rig) -> None:
    trusting.api.admit_to(trusting.upstream.port, scheme="https")
    assert trusting.call().status == 200
    kept = [each for each in gc.get_objects() if isinstance(each, asyncio.sslproto.SSLProtocol)]
    assert {len(vars(each)["_ssl_buffer"]) for each in kept} == {16 * 1024}
