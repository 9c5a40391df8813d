"""The OpenAPI document and the page for trying it out need no credential and no other server."""

import re
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.api_deployment import ApiDeployment, body_of


def test_the_page_loads_only_what_this_server_serves(deployment: ApiDeployment) -> None:
    anyone = deployment.anyone()
    page = anyone.get("/docs")
    assert page.content_type == "text/html; charset=utf-8"
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(wanted) == 4
    assert [anyone.get(f"/{path}").status_code for path in wanted] == [200] * 4


def test_the_page_has_no_inline_script_and_forbids_it(deployment: ApiDeployment) -> None:
    page = deployment.anyone().get("/docs")
    assert re.findall(r"<script(?![^>]* src=)[^>]*>|\son\w+=", page.text) == []
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)


def test_the_page_asks_no_other_server(deployment: ApiDeployment) -> None:
    started = deployment.anyone().get("/docs/initialise.js").text
    assert 'url: "openapi.json"' in started
    assert "validatorUrl: null" in started


@pytest.mark.parametrize(
    ("asset", "kind"),
    [
        ("initialise.js", "text/javascript; charset=utf-8"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ],
)
def test_assets_are_of_their_kind(deployment: ApiDeployment, asset: str, kind: str) -> None:
    assert deployment.anyone().get(f"/docs/{asset}").content_type == kind


@pytest.mark.parametrize(
    "asset", ["docs.html", "index.html", "..", "../secrets.py", "%2e%2e%2fsecrets.py", "x.js"]
)
def test_no_other_file_is_served(deployment: ApiDeployment, asset: str) -> None:
    assert deployment.anyone().get(f"/docs/{asset}").status_code == 404


def test_an_impossible_range_of_an_asset_is_no_failure(deployment: ApiDeployment) -> None:
    headers = {"Range": "bytes=999999999-"}
    answered = deployment.anyone().get("/docs/swagger-ui.css", headers=headers)
    assert answered.status_code == 200


def test_every_operation_is_documented_with_who_may_use_it(deployment: ApiDeployment) -> None:
    paths = body_of(deployment.anyone().get("/openapi.json"))["paths"]
    others = {
        path: each["security"]
        for path, item in paths.items()
        for each in item.values()
        if "security" in each
    }
    assert others == {
        "/healthz": [],
        "/readyz": [],
        "/v1/injections/redeem": [{"injectionToken": []}],
    }


def test_the_page_begins_with_secrets(deployment: ApiDeployment) -> None:
    document = body_of(deployment.anyone().get("/openapi.json"))
    assert [tag["name"] for tag in document["tags"]] == [
        "secrets",
        "injections",
        "api keys",
        "gateway configs",
        "gateway tokens",
        "audit trail",
        "health",
    ]
    assert next(iter(document["paths"])) == "/v1/secrets"


def test_the_page_names_the_file_of_the_api_key(deployment: ApiDeployment) -> None:
    document = body_of(deployment.anyone().get("/openapi.json"))
    assert "var/client.env" in document["info"]["description"]


@pytest.mark.parametrize("path", ["", "/", "/docs/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_places_lead_to_the_page_relatively(
    deployment: ApiDeployment, method: str, path: str
) -> None:
    led = deployment.anyone().send(method, path)
    assert (led.status_code, led.data) == (302, b"")
    assert urlsplit(led.headers["Location"]).path == led.headers["Location"]
    assert urljoin(f"http://x{path}", led.headers["Location"]) == "http://x/docs"


@pytest.mark.parametrize("path", ["/", "/docs/"])
def test_nothing_is_sent_to_a_place_that_leads_elsewhere(
    deployment: ApiDeployment, path: str
) -> None:
    refused = deployment.anyone().send("POST", path)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/openapi.json/", "/healthz/", "/docs//", "/docs/docs", "/index.html"]
)
def test_no_other_place_leads_anywhere(deployment: ApiDeployment, path: str) -> None:
    assert deployment.anyone().get(path).status_code == 404
