"""HTTPS_PROXY and NO_PROXY: which way to the server, and TLS with the server itself inside."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client.redeem import proxy_faults, proxy_for
from tests.support.certificates import Certificate, make_certificate
from tests.support.connect_proxy import ConnectProxy, connect_proxy
from tests.support.ports import free_port
from tests.unit.app.client.conftest import SECRETS, Redeem, Run
from tests.unit.app.client.protocol_server import ProtocolServer, serving

NAME = "strongroom.test"  # which only the proxy resolves
RUN = ("--timeout", "5", "--secret", "GREETING", "--", "sh", "-c", "echo $GREETING")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("authority"), NAME)


@pytest.fixture
def server(certificate: Certificate) -> Iterator[ProtocolServer]:
    with serving(dict(SECRETS), certificate) as server:
        yield server


@pytest.fixture
def proxy(server: ProtocolServer) -> Iterator[ConnectProxy]:
    with connect_proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def environment(
    environment: dict[str, str], proxy: ConnectProxy, certificate: Certificate
) -> dict[str, str]:
    return environment | {
        "RUNLOOP_BASE_URL": f"https://{NAME}:8443",
        "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}",
        "SSL_CERT_FILE": str(certificate.ca_file),
    }


def test_run_reaches_the_server_through_the_proxy(run: Run, proxy: ConnectProxy) -> None:
    result = run(*RUN)
    assert (result.returncode, result.stdout) == (0, "canary-hello\n")
    assert proxy.targets == [f"{NAME}:8443"] * 2


def test_a_command_with_many_calls_keeps_its_tunnel(
    environment: dict[str, str], proxy: ConnectProxy, server: ProtocolServer, tmp_path: Path
) -> None:
    entries = tmp_path / ".env"
    entries.write_text("FIRST=one\nSECOND=two\n")
    command = ["strongroom", "secret", "import", str(entries)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert server.secrets["SECOND"] == "two"
    assert 0 < len(proxy.targets) <= len(server.exchanges)


def test_redeem_reaches_the_server_through_the_proxy(
    redeem: Redeem, server: ProtocolServer, proxy: ConnectProxy
) -> None:
    result = redeem("--", "printenv", "HI", token=server.issue({"HI": "GREETING"}))
    assert (result.returncode, result.stdout) == (0, "canary-hello\n")
    assert proxy.targets == [f"{NAME}:8443"]


def test_an_ipv6_address_stands_in_brackets(run: Run, proxy: ConnectProxy) -> None:
    assert run(*RUN, RUNLOOP_BASE_URL="https://[2001:db8::5]").returncode == 124
    assert proxy.targets == ["[2001:db8::5]:443"]


def test_credentials_of_the_url_are_sent_to_the_proxy_alone(
    run: Run, proxy: ConnectProxy, server: ProtocolServer
) -> None:
    url = f"http://canary-user:canary%40p%C3%A4ss@127.0.0.1:{proxy.port}"
    assert run(*RUN, HTTPS_PROXY=url).returncode == 0
    basic = b64encode("canary-user:canary@päss".encode()).decode()
    assert {headers["Proxy-Authorization"] for _, headers in proxy.requests} == {f"Basic {basic}"}
    assert {headers["Authorization"] for _, headers in proxy.requests} == {None}
    assert [each for each in server.exchanges if "proxy-authorization" in each.headers] == []


def test_a_server_of_another_name_is_not_trusted(run: Run, server: ProtocolServer) -> None:
    result = run(*RUN, RUNLOOP_BASE_URL="https://other.test:8443")
    assert result.returncode == 124
    assert "the certificate of RUNLOOP_BASE_URL does not verify: Hostname mismatch" in result.stderr
    assert server.exchanges == []


def test_an_authority_that_ssl_cert_file_does_not_name_is_not_trusted(run: Run) -> None:
    result = run(*RUN, SSL_CERT_FILE="/dev/null")
    assert result.returncode == 124
    assert "the certificate of RUNLOOP_BASE_URL does not verify" in result.stderr


@pytest.mark.parametrize("credentials", ["", "canary-user:canary-password@"])
def test_a_proxy_that_wants_credentials_is_named_without_them(
    run: Run, proxy: ConnectProxy, credentials: str
) -> None:
    proxy.refusals.append(407)
    result = run(*RUN, HTTPS_PROXY=f"http://{credentials}127.0.0.1:{proxy.port}")
    does = "refuses its user or password" if credentials else "wants USER:PASSWORD@ in its URL"
    assert (result.returncode, result.stdout) == (124, "")
    assert result.stderr.splitlines()[1] == f"  the proxy of HTTPS_PROXY {does} (407)."
    assert len(proxy.requests) == 1
    assert "anary" not in result.stderr


def test_a_proxy_that_refuses_the_server_is_asked_once(run: Run, proxy: ConnectProxy) -> None:
    proxy.refusals.append(403)
    result = run(*RUN)
    assert result.returncode == 124
    expected = "  the proxy of HTTPS_PROXY did not connect to the server (403)."
    assert result.stderr.splitlines()[1] == expected
    assert len(proxy.requests) == 1


def test_a_proxy_that_cannot_reach_the_server_is_asked_again(run: Run, proxy: ConnectProxy) -> None:
    proxy.refusals += [503, 502]
    result = run(*RUN)
    assert (result.returncode, result.stdout) == (0, "canary-hello\n")


def test_a_proxy_that_is_down_is_named(run: Run) -> None:
    result = run(*RUN, HTTPS_PROXY=f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 124
    assert "no response from the proxy of HTTPS_PROXY: Connection refused." in result.stderr


def test_a_proxy_whose_name_does_not_resolve_is_named(run: Run) -> None:
    result = run(*RUN, https_proxy="canary-user:canary-password@proxy.invalid:3128")
    assert result.returncode == 124
    assert "no response from the proxy of https_proxy: " in result.stderr
    assert "anary" not in result.stderr


@pytest.mark.parametrize(
    "url",
    ["https://canary:1", "socks5://canary:1", "http://canary:0", "http://canary:x", "//canary"],
)
def test_an_unusable_proxy_is_refused_before_anything_is_sent(
    run: Run, redeem: Redeem, server: ProtocolServer, url: str
) -> None:
    for result in (
        run(*RUN, HTTPS_PROXY=url),
        redeem("--", "true", token="injt_x", HTTPS_PROXY=url),
    ):
        assert result.returncode == 125
        assert "HTTPS_PROXY must read http://HOST:PORT" in result.stderr
        assert "canary" not in result.stderr
    assert server.exchanges == []


def goes_through(base_url: str, no_proxy: str = "", **environ: str) -> bool:
    environ = environ or {"HTTPS_PROXY": "proxy.test:3128"}
    return proxy_for(base_url, environ | {"NO_PROXY": no_proxy}) is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://secrets.example",
        "http://127.0.0.1:8080",
        "https://localhost",
        "https://LOCALHOST.:8443",
        "https://127.8.9.1",
        "https://[::1]:8443",
        "https://[::ffff:127.0.0.1]",
    ],
)
def test_plain_http_and_this_machine_need_no_proxy(url: str) -> None:
    assert not goes_through(url)
    assert proxy_faults(url, {"HTTPS_PROXY": "not a URL"}) == []


@pytest.mark.parametrize(
    ("host", "no_proxy", "through"),
    [
        ("secrets.example", "", True),
        ("secrets.example", " , ,.", True),
        ("secrets.example", "*", False),
        ("secrets.example", "other.example, *", False),
        ("secrets.example", "SECRETS.example", False),
        ("secrets.example.", "secrets.example", False),
        ("secrets.example", "secrets.example.", False),
        ("a.secrets.example", "secrets.example", False),
        ("a.secrets.example", ".secrets.example", False),
        ("a.secrets.example", "*.secrets.example", False),
        ("secrets.example", ".secrets.example", True),
        ("secrets.example", "*.secrets.example", True),
        ("topsecrets.example", "secrets.example", True),
        ("secrets.example", "a.secrets.example", True),
        ("secrets.example", "secrets.example:443", False),
        ("secrets.example:8443", "secrets.example:8443", False),
        ("secrets.example", "secrets.example:8443", True),
        ("a.secrets.example", ".secrets.example:443", False),
        ("10.1.2.3", "10.1.2.3", False),
        ("10.1.2.3", "10.1.2.3:443", False),
        ("10.1.2.3", "10.1.2.3:80", True),
        ("10.1.2.3", "10.1.0.0/16", False),
        ("10.2.2.3", "10.1.0.0/16", True),
        ("110.1.2.3", "10.1.2.3", True),
        ("[2001:db8::5]", "2001:db8::5", False),
        ("[2001:db8::5]", "[2001:db8::5]:443", False),
        ("[2001:db8::5]", "[2001:db8::5]:80", True),
        ("[2001:db8::5]", "2001:db8::/32", False),
        ("[2001:db8::5]", "10.0.0.0/8", True),
        ("[::ffff:10.1.2.3]", "10.0.0.0/8", False),
        ("secrets.example", "10.0.0.0/8 secrets.example", False),
    ],
)
def test_no_proxy_lists_names_addresses_and_networks(
    host: str, no_proxy: str, *, through: bool
) -> None:
    assert goes_through(f"https://{host}", no_proxy) is through


def test_names_in_lower_case_win() -> None:
    faults = proxy_faults("https://a.example", {"https_proxy": "ftp://x", "HTTPS_PROXY": "x:1"})
    assert [fault.text.split()[0] for fault in faults] == ["https_proxy"]
    both = {"HTTPS_PROXY": "x:1", "no_proxy": "b.example", "NO_PROXY": "a.example"}
    assert proxy_for("https://a.example", both) is not None
    assert proxy_for("https://a.example", both | {"no_proxy": " "}) is None


def test_no_variable_means_no_proxy() -> None:
    assert proxy_for("https://a.example", {"HTTP_PROXY": "x:1", "HTTPS_PROXY": " "}) is None


def test_a_proxy_prints_no_credentials() -> None:
    proxy = proxy_for("https://a.example", {"HTTPS_PROXY": "http://canary:canary@proxy.test"})
    assert "canary" not in f"{proxy} {proxy!r}"
