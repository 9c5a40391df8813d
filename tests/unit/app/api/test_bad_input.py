"""Bad input gets a clear error in JSON that repeats none of it, and changes nothing."""

import io
import json
from typing import Any, NoReturn

import pytest
from werkzeug.test import TestResponse

from tests.support.api_deployment import Account, Client, body_of, error_of

MARK = "kumquat"

ILLEGAL_NAMES = [
    "",
    f"9{MARK}",
    f"{MARK} ",
    f" {MARK}",
    f"{MARK}\n",
    f"{MARK}\r",
    f"{MARK}\0",
    f"{MARK}-with-hyphen",
    f"{MARK}.x",
    f"{MARK}/x",
    f"{MARK}=x",
    f"{MARK}\u0663",
    f"{MARK}\u00e9",
    f"\uff21{MARK}",
    f"{MARK}\U0001f511",
    MARK * 37,
    "sec_0352qdPvdntveecd4gLSQI",
    "key_0352qdPvdntveecd4gLSQI",
]
BAD_VALUES = [None, 1, 1.5, True, [MARK], {MARK: MARK}]
NOT_JSON = {
    "truncated": b'{"name": "A", "value": "' + MARK.encode(),
    "no JSON": MARK.encode(),
    "a string": json.dumps(MARK).encode(),
    "a list": json.dumps([MARK]).encode(),
    "null": b"null",
    "a number": b"1",
    "two objects": b'{"name": "A", "value": "kumquat"}{}',
    "trailing comma": b'{"name": "A", "value": "kumquat",}',
    "comment": b'{"name": "A", "value": "kumquat"} // kumquat',
    "single quotes": b"{'name': 'A', 'value': 'kumquat'}",
    "a name twice": b'{"name": "A", "value": "kumquat", "value": "kumquat2"}',
    "a name twice, escaped": b'{"name": "A", "value": "kumquat", "v\\u0061lue": "kumquat2"}',
    "a name twice, inside": b'{"name": "A", "value": {"kumquat": 1, "kumquat": 2}}',
    "NaN": b'{"name": "A", "value": NaN}',
    "Infinity": b'{"name": "A", "value": -Infinity}',
    "byte order mark": b'\xef\xbb\xbf{"name": "A", "value": "kumquat"}',
    "UTF-16": '{"name": "A", "value": "kumquat"}'.encode("utf-16"),
    "UTF-16 without mark": '{"name": "A", "value": "kumquat"}'.encode("utf-16-le"),
    "UTF-32": '{"name": "A", "value": "kumquat"}'.encode("utf-32"),
    "Latin-1": '{"name": "A", "value": "kumquat\u00e9"}'.encode("latin-1"),
    "overlong UTF-8": b'{"name": "A", "value": "kumquat\xc0\x80"}',
    "encoded surrogate": b'{"name": "A", "value": "kumquat\xed\xa0\x80"}',
    "high surrogate": b'{"name": "A", "value": "kumquat\\ud800"}',
    "low surrogate": b'{"name": "A", "value": "\\udc00kumquat"}',
    "surrogate in a name": b'{"name": "A", "value": "kumquat", "\\ud800": 1}',
    "control character": b'{"name": "A", "value": "kumquat\n"}',
    "deep lists": b'{"name": "A", "value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep lists, unclosed": b"[" * 1_000_000,
    "deep objects": b'{"kumquat":' * 50_000 + b"1" + b"}" * 50_000,
    "deep after strings": b'{"kumquat": "\\\\", "b": "\\"[", "c": ' + b"[" * 20 + b"]" * 20 + b"}",
    "many digits": b'{"name": "A", "value": ' + b"1" * 5000 + b"}",
    "65 bits": b'{"name": "A", "value": 18446744073709551616}',
}


def _refused(response: TestResponse, code: str) -> dict[str, Any]:
    assert error_of(response) == (400, code)
    assert MARK not in response.get_data(as_text=True)
    return body_of(response)


def _create(client: Client, body: object) -> TestResponse:
    return client.post_bytes("/v1/secrets", json.dumps(body).encode())


@pytest.mark.parametrize("name", ILLEGAL_NAMES)
def test_an_illegal_name_is_refused(client: Client, name: str) -> None:
    _refused(_create(client, {"name": name, "value": "x"}), "invalid_request")
    assert client.names() == []


@pytest.mark.parametrize(
    "name",
    [
        f"{MARK}%0A",
        f"{MARK}%00",
        f"{MARK}%20",
        f"{MARK}%D9%A3",
        f"{MARK}%FF",
        f"{MARK}.",
        "a" * 300,
    ],
)
def test_a_name_that_no_secret_can_have_is_not_found(client: Client, name: str) -> None:
    client.create(MARK)
    assert error_of(client.get(f"/v1/secrets/{name}")) == (404, "secret_not_found")
    assert error_of(client.post(f"/v1/secrets/{name}/delete")) == (404, "secret_not_found")
    assert client.names() == [MARK]


@pytest.mark.parametrize("field", ["name", "value"])
@pytest.mark.parametrize("wrong", BAD_VALUES)
def test_a_field_of_another_type_is_refused(client: Client, field: str, wrong: object) -> None:
    refused = _create(client, {"name": "A", "value": "x", field: wrong})
    assert field in _refused(refused, "invalid_request")["message"]
    assert client.names() == []


@pytest.mark.parametrize("field", ["name", "value"])
def test_a_missing_field_is_named(client: Client, field: str) -> None:
    sent = {"name": "A", "value": "x"}
    del sent[field]
    assert f"{field} is required" in _refused(_create(client, sent), "invalid_request")["message"]


def test_all_faults_are_told_at_once(client: Client) -> None:
    message = _refused(_create(client, {MARK: 1}), "invalid_request")["message"]
    for fault in ("name is required", "value is required", "unknown fields"):
        assert fault in message


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/secrets", {"name": "NEW", "value": "x", MARK: MARK}),
        ("/v1/secrets/A", {"value": "x", MARK: MARK}),
        ("/v1/secrets/A", {"value": "x", "name": "A"}),
        ("/v1/secrets/A/delete", {MARK: MARK}),
        ("/v1/apikeys", {"scopes": []}),
    ],
)
def test_an_unknown_field_is_refused_and_not_repeated(
    client: Client, path: str, sent: object
) -> None:
    client.create("A")
    message = _refused(client.post(path, json=sent), "invalid_request")["message"]
    assert "unknown fields" in message
    assert client.names() == ["A"]


@pytest.mark.parametrize("path", ["/v1/secrets", "/v1/secrets/A", "/v1/restricted_keys"])
@pytest.mark.parametrize(
    "options",
    [{}, {"content_type": "application/json"}, {"data": b"", "content_type": "text/plain"}],
)
def test_a_missing_body_is_refused_where_one_is_needed(
    client: Client, path: str, options: dict[str, str]
) -> None:
    client.create("A")
    _refused(client.post(path, **options), "body_missing")


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize(
    "path", ["/v1/secrets", "/v1/secrets/A", "/v1/secrets/A/delete", "/v1/apikeys"]
)
def test_what_is_not_strict_json_is_refused(client: Client, path: str, body: bytes) -> None:
    client.create("A")
    _refused(client.post_bytes(path, body), "invalid_json")
    assert client.names() == ["A"]


def test_json_in_a_value_may_be_as_deep_as_it_likes(client: Client) -> None:
    client.create("A", json.dumps({"key": '\\"' + "[{" * 2000}))


@pytest.mark.parametrize("field", [f"{MARK}\0", f"{MARK}\0{MARK}"])
def test_a_value_with_nul_is_refused(client: Client, field: str) -> None:
    _refused(_create(client, {"name": "A", "value": field}), "invalid_request")
    assert client.names() == []


@pytest.mark.parametrize("value", ["x" * 65537, "\u00e9" * 32769, "\U0001f511" * 16385])
def test_a_value_over_the_limit_is_refused(client: Client, value: str) -> None:
    message = _refused(_create(client, {"name": "A", "value": value}), "invalid_request")["message"]
    assert "65536" in message
    assert client.names() == []


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.kumquat+json",
        "application/json; charset=utf-16",
        "application/json; charset=kumquat",
        "application/jsonkumquat",
    ],
)
def test_a_body_of_another_content_type_is_refused(
    client: Client, content_type: str | None
) -> None:
    body = b'{"name": "A", "value": "x"}'
    refused = client.post("/v1/secrets", data=body, content_type=content_type)
    _refused(refused, "wrong_content_type")
    assert client.names() == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"']
)
def test_json_may_say_that_it_is_utf8(client: Client, content_type: str) -> None:
    body = b'{"name": "A", "value": "x"}'
    assert client.post("/v1/secrets", data=body, content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    "limit",
    [
        "0",
        "-1",
        "5001",
        "99999",
        "1_000",
        "%D9%A3",
        "%EF%BC%91",
        "1.0",
        "1e3",
        "%2B5",
        "+5",
        "%205",
        "5%20",
        "5%0A",
        "05",
        "0x10",
        "null",
        MARK,
        "9" * 5000,
    ],
)
def test_a_bad_limit_is_refused(client: Client, limit: str) -> None:
    message = _refused(client.get(f"/v1/secrets?limit={limit}"), "invalid_request")["message"]
    assert "limit must be an integer from 1 to 5000" in message


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        MARK,
        "sec_",
        "sec_1",
        "key_0352qdPvdntveecd4gLSQI",
        "sec_0352qdPvdntveecd4gLSQI%0A",
        "sec_0352qdPvdntveecd4gLSQ%D9%A3",
    ],
)
def test_a_bad_cursor_is_refused(client: Client, cursor: str) -> None:
    message = _refused(client.get(f"/v1/secrets?starting_after={cursor}"), "invalid_request")[
        "message"
    ]
    assert "starting_after" in message


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("include_total_count=1", "include_total_count"),
        ("include_total_count=False", "include_total_count"),
        ("include_total_count=", "include_total_count"),
        ("name=", "name"),
        ("name=9kumquat", "name"),
        ("name=kumquat%00", "name"),
        ("search=", "search"),
        ("search=kumquat%00", "search"),
        ("search=%25", "search"),
        ("search=kumquat%0A", "search"),
        (f"search={'x' * 256}", "search"),
        ("limit=1&limit=1", "twice"),
        ("kumquat=1", "unknown"),
        ("limit=1&kumquat", "unknown"),
    ],
)
def test_a_bad_query_is_refused(client: Client, query: str, field: str) -> None:
    assert field in _refused(client.get(f"/v1/secrets?{query}"), "invalid_request")["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/secrets/A"),
        ("POST", "/v1/secrets/A/delete"),
        ("POST", "/v1/apikeys"),
        ("POST", "/v1/injections/redeem"),
    ],
)
def test_a_query_is_refused_where_none_belongs(client: Client, method: str, path: str) -> None:
    client.create("A")
    _refused(client.send(method, f"{path}?{MARK}=1"), "invalid_request")
    assert client.names() == ["A"]


@pytest.mark.parametrize("request_id", ["", " ", "a b", "caf\u00e9", "x" * 256, "a\tb", "\x7f"])
def test_a_bad_request_id_is_refused(client: Client, request_id: str) -> None:
    sent = {"name": "A", "value": "x"}
    refused = client.post("/v1/secrets", json=sent, headers={"x-request-id": request_id})
    _refused(refused, "invalid_request_id")
    assert client.names() == []


def test_a_body_over_the_cap_is_413(client: Client) -> None:
    refused = client.post_bytes("/v1/secrets", b" " * (1024 * 1024 + 1))
    assert error_of(refused) == (413, "body_too_large")


def test_a_body_of_the_cap_is_read(client: Client) -> None:
    client.create("A")
    assert client.post_bytes("/v1/secrets/A/delete", b"{}".ljust(1024 * 1024)).status_code == 200


def test_a_chunked_body_over_the_cap_is_413(account: Account) -> None:
    refused = _send_chunked(account.client(), b" " * (1024 * 1024 + 1))
    assert error_of(refused) == (413, "body_too_large")


def test_a_chunked_body_is_read(account: Account) -> None:
    assert _send_chunked(account.client(), b'{"name": "A", "value": "x"}').status_code == 200


def _send_chunked(client: Client, body: bytes) -> TestResponse:
    """As gunicorn hands it on: no length, an input that ends."""
    return client.post(
        "/v1/secrets",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )


def test_a_chunked_body_that_the_server_cannot_read_is_400(client: Client) -> None:
    class Chunks(io.BytesIO):
        def read(self, *_: object) -> NoReturn:
            raise ArithmeticError(MARK)

        readinto = read

    refused = client.post(
        "/v1/secrets",
        input_stream=Chunks(),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    _refused(refused, "bad_request")


def test_a_body_that_was_cut_off_changes_nothing(client: Client) -> None:
    client.create("A")
    cut = client.post_bytes(
        "/v1/secrets/A/delete",
        b"",
        environ_overrides={"CONTENT_LENGTH": "2", "wsgi.input_terminated": True},
    )
    assert error_of(cut) == (400, "bad_request")
    assert client.names() == ["A"]


@pytest.mark.parametrize(
    "scopes",
    [
        None,
        {},
        "x",
        [None],
        [MARK],
        [{}],
        [{"resource_type": MARK, "access_level": "ACCESS_LEVEL_READ"}],
        [{"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": MARK}],
        [{"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ", MARK: 1}],
        [{"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}] * 65,
    ],
)
def test_bad_scopes_are_refused(client: Client, scopes: object) -> None:
    message = _refused(
        client.post("/v1/restricted_keys", json={"scopes": scopes}), "invalid_request"
    )["message"]
    assert "scopes" in message


@pytest.mark.parametrize(
    "sent",
    [
        {"name": None},
        {"name": ""},
        {"name": f"{MARK}\n"},
        {"name": MARK * 37},
        {"name": 1},
        {"expires_at_ms": "1"},
        {"expires_at_ms": 1.5},
        {"expires_at_ms": True},
        {"expires_at_ms": 1},
        {"expires_at_ms": -1},
        {"expires_at_ms": 2**53},
        {"expires_at_ms": 2**63},
    ],
)
def test_a_bad_name_or_expiry_of_a_key_is_refused(client: Client, sent: object) -> None:
    _refused(client.post("/v1/apikeys", json=sent), "invalid_request")
