"""The config that a URL names, by its path or by its host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gateways.urls import ConfigUrls

_ID = "gwc_0BvK1Za9Yx7Wq5Rt3Ps1Lm"
_BY_PATH = ConfigUrls("https://gw.example.com:8443")
_BY_HOST = ConfigUrls("https://{config}.gw.example.com:8443")
_IDS = st.from_regex(r"\Agwc_[0-9A-Za-z]{22}\Z")


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        (f"/{_ID}/v1/messages?beta=1", "/v1/messages?beta=1"),
        (f"/{_ID}", "/"),
        (f"/{_ID}/", "/"),
        (f"/{_ID}?a=b", "/?a=b"),
        (f"/{_ID}//evil", "//evil"),
        (f"/{_ID}/../x", "/../x"),
    ],
)
def test_the_path_names_the_config(target: str, rest: str) -> None:
    assert _BY_PATH.find("anything.example", target) == (_ID, rest)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        f"//{_ID}/x",
        f"/x/{_ID}",
        f"/{_ID}%2Fv1",
        "/sec_0",
        "*",
        f"http://h/{_ID}/",
        "/gwc_",
    ],
)
def test_a_path_without_an_id_names_none(target: str) -> None:
    assert _BY_PATH.find("gw.example.com:8443", target) is None


@given(_IDS)
def test_the_host_names_the_config_without_case(config: str) -> None:
    host = _BY_HOST.url(config).partition("://")[2]
    assert _BY_HOST.find(host.upper(), "/v1/x?y") == (config, "/v1/x?y")
    assert len(host.partition(".")[0]) <= 63


@given(_IDS)
def test_a_url_leads_to_its_config(config: str) -> None:
    path = "/" + _BY_PATH.url(config).partition("://")[2].partition("/")[2]
    assert _BY_PATH.find("", f"{path}/v1") == (config, "/v1")
    assert path == _BY_PATH.prefix(config)
    assert _BY_HOST.prefix(config) == ""


@pytest.mark.parametrize(
    "host",
    [
        "gw.example.com:8443",
        "evil.example",
        "mfrgg.gw.example.com",
        "mfrgg.gw.example.com:8443.evil.example",
        "a.mfrgg.gw.example.com:8443",
        "0189.gw.example.com:8443",
        "mfrgh.gw.example.com:8443",
        "",
    ],
)
def test_another_host_names_none(host: str) -> None:
    assert _BY_HOST.find(host, f"/{_ID}/v1") is None
