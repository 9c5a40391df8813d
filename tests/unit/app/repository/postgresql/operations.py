"""Every operation that a client can ask for, as requests that may be sent again."""

from collections.abc import Callable
from itertools import count

from werkzeug.test import TestResponse

from tests.support.api_deployment import Account, Client

Send = Callable[[], TestResponse]
Operation = Callable[[Account, Client], Send]

_number = count()


def _new() -> str:
    return f"NAME_{next(_number)}"


def _post(client: Client, path: str, **body: object) -> Send:
    """A request with an id of its own, which its repetitions share."""
    headers = {"x-request-id": _new()}
    return lambda: client.post(path, json=body, headers=headers)


def _create(_: Account, client: Client) -> Send:
    return _post(client, "/v1/secrets", name=_new(), value="a value")


def _view(_: Account, client: Client) -> Send:
    name = client.create(_new())["name"]
    return lambda: client.get(f"/v1/secrets/{name}")


def _list(_: Account, client: Client) -> Send:
    client.create(_new())
    return lambda: client.get("/v1/secrets")


def _update(_: Account, client: Client) -> Send:
    return _post(client, f"/v1/secrets/{client.create(_new())['name']}", value="another")


def _delete(_: Account, client: Client) -> Send:
    return _post(client, f"/v1/secrets/{client.create(_new())['name']}/delete")


def _inject(_: Account, client: Client) -> Send:
    return _post(client, "/v1/injections", secrets={"A": client.create(_new())["name"]})


def _redeem(_: Account, client: Client) -> Send:
    token = _inject(_, client)().get_json()["token"]
    holder, body = client.with_token(token), {"redeem_nonce": "n" * 22}
    return lambda: holder.post("/v1/injections/redeem", json=body)


def _revoke(_: Account, client: Client) -> Send:
    injection = _inject(_, client)().get_json()["id"]
    return lambda: client.post(f"/v1/injections/{injection}/revoke")


def _mint(_: Account, client: Client) -> Send:
    return _post(client, "/v1/apikeys", name="a key")


def _ready(_: Account, client: Client) -> Send:
    return lambda: client.get("/readyz")


OPERATIONS: dict[str, Operation] = {
    "create": _create,
    "view": _view,
    "list": _list,
    "update": _update,
    "delete": _delete,
    "inject": _inject,
    "redeem": _redeem,
    "revoke": _revoke,
    "mint": _mint,
    "ready": _ready,
}
