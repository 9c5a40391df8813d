"""The page /docs through nginx: the same whether nginx has its files or asks the server."""

import re
from urllib.parse import urljoin

import httpx
import pytest
import requests

from tests.support.nginx import Nginx, install_documentation
from tests.support.strongroom import Strongroom

FILES = [
    "/docs",
    "/docs/initialise.js",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/docs/favicon-32x32.png",
]
SAME = ["content-type", "content-security-policy", "cache-control", "x-content-type-options"]


@pytest.mark.parametrize("path", FILES)
def test_nginx_serves_each_file_as_the_server_does(
    client: httpx.Client, front: Nginx, backend: Strongroom, path: str
) -> None:
    install_documentation(front)
    expected = requests.get(backend.url + path, timeout=30)
    served = client.get(path)
    assert (served.status_code, served.content) == (200, expected.content)
    for name in SAME:
        assert served.headers[name] == expected.headers[name], name
    assert re.fullmatch("req_[0-9a-f]{32}", served.headers["x-request-id"])


def test_without_the_files_the_server_is_asked(client: httpx.Client, front: Nginx) -> None:
    install_documentation(front)
    (front.documentation / "initialise.js").unlink()
    served = client.get("/docs/initialise.js")
    assert served.status_code == 200
    assert not re.fullmatch("req_[0-9a-f]{32}", served.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/docs/docs.html", "/docs/index.html", "/docs/x.js"])
def test_no_other_file_is_served(client: httpx.Client, front: Nginx, path: str) -> None:
    install_documentation(front)
    (front.documentation / "x.js").write_text("a file of somebody's")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "a file of" not in answer.text


@pytest.mark.parametrize("path", ["/", "/docs/"])
def test_other_places_lead_to_the_page_relatively(
    client: httpx.Client, front: Nginx, path: str
) -> None:
    install_documentation(front)
    led = client.get(path)
    assert led.status_code == 302
    assert urljoin(path, led.headers["location"]) == "/docs"
