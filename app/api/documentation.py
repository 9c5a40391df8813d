"""``/openapi.json``, and ``/docs``: a page to try out the API, which works offline.

The page runs Swagger UI from the ``flask-swagger-ui`` package. Its own scripts come from files, so
that the content security policy needs no inline script.
"""

from collections.abc import Mapping
from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Blueprint, Flask, Response, current_app, send_from_directory
from werkzeug.exceptions import NotFound

from app.api.http.endpoint import Endpoint, open_to_all
from app.api.openapi import openapi_document

documentation = Blueprint("documentation", __name__)

_DOCUMENT = "strongroom-openapi"
_PAGES = Path(__file__).parent / "pages"
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
_ASSETS = {
    "initialise.js": _PAGES,
    "swagger-ui.css": _SWAGGER_UI,
    "swagger-ui-bundle.js": _SWAGGER_UI,
    "favicon-32x32.png": _SWAGGER_UI,
}
# Swagger UI sets styles on elements and has its icons in data URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def prepare(app: Flask, endpoints: Mapping[str, Endpoint]) -> None:
    """Build the document of all routes of ``app``, once."""
    document = openapi_document(app.url_map.iter_rules(), endpoints)
    app.extensions[_DOCUMENT] = orjson.dumps(document)


@documentation.get("/openapi.json")
@open_to_all()
def show_openapi() -> Response:
    """Send the OpenAPI document."""
    return Response(current_app.extensions[_DOCUMENT], content_type="application/json")


@documentation.get("/docs")
@open_to_all()
def show_page() -> Response:
    """Send the page to try out the API."""
    return _file(_PAGES, "docs.html")


@documentation.get("/", strict_slashes=False)  # "GET http://HOST" has no slash at all
@open_to_all()
def lead_to_page() -> Response:
    """Lead to the page."""
    return _lead_to("docs")


@documentation.get("/docs/")
@open_to_all()
def lead_up_to_page() -> Response:
    """Lead to the page, whose assets would be looked for below ``/docs/docs/`` from here."""
    return _lead_to("../docs")


@documentation.get("/docs/<asset>")
@open_to_all()
def show_asset(asset: str) -> Response:
    """Send a file that the page needs."""
    if asset not in _ASSETS:
        raise NotFound
    return _file(_ASSETS[asset], asset)


def _lead_to(place: str) -> Response:
    """Redirect to a place that is relative, so that it holds behind any proxy."""
    return Response(status=302, headers={"Location": place}, content_type="text/plain")


def _file(directory: Path, name: str) -> Response:
    response = send_from_directory(directory, name, conditional=False)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
