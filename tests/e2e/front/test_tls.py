"""The TLS of the shipped nginx: versions, IPv6, and HSTS on every response."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest

from tests.support.nginx import Nginx

_HSTS = "max-age=31536000"


def version_of(front: Nginx, host: str = "127.0.0.1", **bounds: ssl.TLSVersion) -> str | None:
    """The version that is agreed on with a client that takes these."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name, version in bounds.items():
        setattr(context, name, version)
    with (
        socket.create_connection((host, front.port), timeout=20) as plain,
        context.wrap_socket(plain) as opened,
    ):
        return opened.version()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(front: Nginx, version: ssl.TLSVersion) -> None:
    agreed = version_of(front, minimum_version=version, maximum_version=version)
    assert agreed == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(front: Nginx, version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        version_of(front, minimum_version=version, maximum_version=version)


def test_a_cipher_without_forward_secrecy_is_refused(front: Nginx) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:AES128-GCM-SHA256")
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


def test_ipv6_is_served(front: Nginx) -> None:
    addresses = Path("/proc/net/if_inet6")
    if not addresses.exists() or "lo" not in addresses.read_text():
        pytest.skip("this machine has no IPv6")
    assert version_of(front, "::1") == "TLSv1.3"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/secrets", 200), ("/v1/nothing", 404), ("/.refused/404", 404), ("/docs", 200)],
)
def test_every_response_asks_for_tls_from_now_on(
    client: httpx.Client, path: str, status: int
) -> None:
    answered = client.get(path)
    assert answered.status_code == status
    assert answered.headers.get_list("strict-transport-security") == [_HSTS]
