"""The settings of the gateway: which addresses, names and networks they admit."""

from pathlib import Path

import pytest

from config import SettingsError, load
from config.gateway_settings import METADATA
from config.listening import TcpAddress

URL = "STRONGROOM_GATEWAY_URL"
NETWORKS = "STRONGROOM_GATEWAY_NETWORKS"


def fault(name: str, text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load({name: text})
    (sentence,) = refused.value.faults
    assert sentence.startswith(f"{name}: ")
    return sentence


@pytest.mark.parametrize(
    "url",
    [
        "https://gw.example.com",
        "https://gw.example.com:8443",
        "https://{config}.gw.example.com",
        "http://127.0.0.1:8081",
        "http://[::1]:8081",
        "http://{config}.localhost:8081",
    ],
)
def test_a_url_of_the_gateway_is_taken_as_it_is(url: str) -> None:
    assert load({URL: url}).gateway_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gw.example.com",
        "http://10.0.0.1:8081",
        "ftp://gw.example.com",
        "https://",
        "gw.example.com",
        "https://user@gw.example.com",
        "https://gw.example.com/",
        "https://gw.example.com/path",
        "https://gw.example.com?query",
        "https://gw.example.com#fragment",
        "https://gw.example.com:port",
        "https://GW.example.com",
        "https://gw.{config}.example.com",
        "https://{config}.{config}.example.com",
        "https://{other}.example.com",
        "https://gw.example.com\n",
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str) -> None:
    sentence = fault(URL, url)
    assert "example" not in sentence


@pytest.mark.parametrize("metadata", METADATA, ids=str)
def test_no_network_opens_a_place_that_hands_out_credentials(metadata: object) -> None:
    assert "credentials" in fault(NETWORKS, str(metadata))


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "169.254.169.254", "fe80::1"])
def test_no_network_contains_such_a_place(network: str) -> None:
    assert "credentials" in fault(NETWORKS, network)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "example.com", "10.0.0.0/33"])
def test_a_text_that_is_no_network_is_refused(text: str) -> None:
    assert fault(NETWORKS, text).endswith(
        "must list networks such as 10.1.2.0/24, without host bits."
    )


@pytest.mark.parametrize("text", ["Example.com", "a_b.example", "*.*.example", "example.com/", "*"])
def test_a_text_that_is_no_host_name_is_refused(text: str) -> None:
    fault("STRONGROOM_GATEWAY_HOSTS", text)


def test_the_gateway_listens_one_port_above_the_api() -> None:
    assert load({"PORT": "9000"}).gateway_bind == (TcpAddress("127.0.0.1", 9001),)


def test_a_port_of_its_own_moves_the_gateway() -> None:
    assert load({"STRONGROOM_GATEWAY_PORT": "9100"}).gateway_bind == (
        TcpAddress("127.0.0.1", 9100),
    )


def test_key_and_socket_follow_the_home() -> None:
    settings = load({"STRONGROOM_HOME": "/srv/home"})
    assert settings.gateway_key_file == Path("/srv/home/gateway.key")
    assert settings.gateway_socket == "/srv/home/admission.sock"


def test_a_socket_path_that_no_socket_can_have_is_refused() -> None:
    assert "at most 100 bytes" in fault("STRONGROOM_GATEWAY_SOCKET", "/" + "a" * 100)


def test_the_port_that_kubernetes_links_for_a_service_of_this_name_is_no_setting() -> None:
    assert load({"STRONGROOM_GATEWAY_PORT": "tcp://10.0.0.1:443"}) == load({})
