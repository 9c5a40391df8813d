"""The operator's rules for upstreams: hosts, clear text, and never the gateway itself."""

import pytest

from app.domain.errors import InvalidRequest
from app.domain.gateways.origins import EndpointPolicy, parse_origin

LISTED = EndpointPolicy(hosts=("api.example.com", "*.example.org"))


@pytest.mark.parametrize("host", ["api.example.com", "a.example.org", "a.b.example.org"])
def test_a_listed_host_is_admitted(host: str) -> None:
    LISTED.check(parse_origin(f"https://{host}/v1"))


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "x.api.example.com",
        "example.org",
        "badexample.org",
        "a.example.org.evil.test",
    ],
)
def test_another_host_is_refused_once_hosts_are_listed(host: str) -> None:
    with pytest.raises(InvalidRequest, match="STRONGROOM_GATEWAY_HOSTS"):
        LISTED.check(parse_origin(f"https://{host}"))


def test_every_host_is_admitted_if_none_is_listed() -> None:
    EndpointPolicy().check(parse_origin("https://anything.example"))


def test_clear_text_needs_a_listed_network() -> None:
    origin = parse_origin("http://api.internal:8080")
    with pytest.raises(InvalidRequest, match="STRONGROOM_GATEWAY_NETWORKS"):
        EndpointPolicy().check(origin)
    EndpointPolicy(admits_http=True).check(origin)


@pytest.mark.parametrize("url", ["https://gw.example.com", "https://GW.example.com:8443/x"])
def test_the_gateway_itself_is_no_upstream(url: str) -> None:
    with pytest.raises(InvalidRequest, match="the gateway itself"):
        EndpointPolicy(own_host="gw.example.com").check(parse_origin(url))
