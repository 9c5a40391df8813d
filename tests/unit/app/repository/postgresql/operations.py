"""Every operation that a client or a gateway can ask for, as requests that may be sent again."""

from collections.abc import Callable
from itertools import count
from typing import Any

from werkzeug.test import TestResponse

from app.api.http.admission import ADMISSION_LISTENER
from tests.support.admission_socket import admission
from tests.support.api_deployment import Account, Client, body_of
from tests.support.labels import new_label

Send = Callable[[], TestResponse]
Operation = Callable[[Account, Client], Send]

_number = count()


def _new() -> str:
    return f"NAME_{next(_number)}"


def _post(client: Client, path: str, **body: object) -> Send:
    """A request with an id of its own, which its repetitions share."""
    headers = {"x-request-id": _new()}
    return lambda: client.post(path, json=body, headers=headers)


def _get(client: Client, path: str) -> Send:
    return lambda: client.get(path)


def _made(send: Send) -> dict[str, Any]:
    """What a request has made, before the server is held."""
    response = send()
    assert response.status_code == 200, response.text
    return body_of(response)


def _secret(client: Client) -> str:
    return str(client.create(_new())["name"])


def _by_id(client: Client) -> str:
    return f"id/{client.create(_new())['id']}"


def _old_version(client: Client, secret: str) -> str:
    """Give a secret another value. Returns it."""
    path = f"/v1/secrets/{secret}"
    _made(_post(client, path + "/update" * secret.startswith("id/"), value="another"))
    return path


def _injection(client: Client) -> dict[str, Any]:
    return _made(_post(client, "/v1/injections", secrets={"A": _secret(client)}))


def _redeem(_: Account, client: Client) -> Send:
    holder, body = client.with_token(_injection(client)["token"]), {"redeem_nonce": "n" * 22}
    return lambda: holder.post("/v1/injections/redeem", json=body)


def _new_config(client: Client) -> Send:
    return _post(
        client,
        "/v1/gateway-configs",
        name=_new(),
        endpoint="https://api.example.com",
        auth_mechanism={"type": "bearer"},
    )


def _config(client: Client) -> str:
    return f"/v1/gateway-configs/{_made(_new_config(client))['id']}"


def _new_token(client: Client) -> Send:
    return _post(
        client,
        "/v1/devboxes/a-box/create_gateway_token",
        gateway=_config(client).rpartition("/")[2],
        secret=_secret(client),
    )


def _token(client: Client) -> str:
    return f"/v1/gateway-tokens/{_made(_new_token(client))['id']}"


def _ask(account: Account, client: Client, path: str, /, **body: object) -> Send:
    """A request of a gateway, over the admission socket."""
    keys = account.deployment.services.gateway_keys
    name = new_label("a gateway")
    key = keys.new(name).token
    keys.add(name, key)
    gateway = client.with_token(key.reveal())
    return lambda: gateway.post(
        f"/internal/v1/admissions{path}",
        json=body,
        environ_overrides={ADMISSION_LISTENER: True},
    )


def _admit(account: Account, client: Client) -> Send:
    return _ask(account, client, "", **admission(_made(_new_token(client))["token"]))


def _recheck(account: Account, client: Client) -> Send:
    return _ask(account, client, "/recheck", uses=[_made(_admit(account, client))["use"]])


def _end(account: Account, client: Client) -> Send:
    counts = dict.fromkeys(("bytes_in", "bytes_out", "milliseconds", "scrub_hits"), 1)
    end = {"use": _made(_admit(account, client))["use"], "status": 200, **counts}
    return _ask(account, client, "/ends", ends=[end])


_OF_SECRETS: dict[str, Operation] = {
    "create": lambda _, client: _post(client, "/v1/secrets", name=_new(), value="a value"),
    "view": lambda _, client: _get(client, f"/v1/secrets/{_secret(client)}"),
    "view by id": lambda _, client: _get(client, f"/v1/secrets/{_by_id(client)}"),
    "list": lambda _, client: _get(client, "/v1/secrets"),
    "update": lambda _, client: _post(client, f"/v1/secrets/{_secret(client)}", value="another"),
    "update by id": lambda _, client: _post(
        client, f"/v1/secrets/{_by_id(client)}/update", value="another"
    ),
    "delete": lambda _, client: _post(client, f"/v1/secrets/{_secret(client)}/delete"),
    "delete by id": lambda _, client: _post(client, f"/v1/secrets/{_by_id(client)}/delete"),
}


def _of_versions(secret_of: Callable[[Client], str], by: str) -> dict[str, Operation]:
    def old(client: Client) -> str:
        return _old_version(client, secret_of(client))

    return {
        f"list versions{by}": lambda _, client: _get(client, f"{old(client)}/versions"),
        f"roll back{by}": lambda _, client: _post(client, f"{old(client)}/rollback", version=1),
        f"delete a version{by}": lambda _, client: _post(
            client, f"{old(client)}/versions/1/delete"
        ),
        f"purge{by}": lambda _, client: _post(client, f"{old(client)}/versions/purge"),
    }


_OF_KEYS_AND_INJECTIONS: dict[str, Operation] = {
    "mint": lambda _, client: _post(client, "/v1/apikeys", name="a key"),
    "mint a restricted key": lambda _, client: _post(
        client,
        "/v1/restricted_keys",
        name="a key",
        scopes=[{"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}],
    ),
    "inject": lambda _, client: _post(
        client, "/v1/injections", secrets={"A": client.create(_new())["name"]}
    ),
    "redeem": _redeem,
    "list injections": lambda _, client: _get(client, "/v1/injections"),
    "view an injection": lambda _, client: _get(
        client, f"/v1/injections/{_injection(client)['id']}"
    ),
    "revoke": lambda _, client: _post(client, f"/v1/injections/{_injection(client)['id']}/revoke"),
}

_OF_GATEWAYS: dict[str, Operation] = {
    "create a config": lambda _, client: _new_config(client),
    "list configs": lambda _, client: _get(client, "/v1/gateway-configs"),
    "view a config": lambda _, client: _get(client, _config(client)),
    "update a config": lambda _, client: _post(client, _config(client), description="another"),
    "delete a config": lambda _, client: _post(client, f"{_config(client)}/delete"),
    "mint a gateway token": lambda _, client: _new_token(client),
    "list gateway tokens": lambda _, client: _get(client, "/v1/gateway-tokens"),
    "view a gateway token": lambda _, client: _get(client, _token(client)),
    "revoke a gateway token": lambda _, client: _post(client, f"{_token(client)}/revoke"),
    "revoke the tokens of a box": lambda _, client: _post(
        client, "/v1/gateway-tokens/revoke", devbox_id="a-box"
    ),
    "list uses": lambda _, client: _get(client, "/v1/gateway-uses"),
    "list records": lambda _, client: _get(client, "/v1/audit-events"),
    "admit": _admit,
    "recheck": _recheck,
    "end": _end,
}

OPERATIONS: dict[str, Operation] = {
    **_OF_SECRETS,
    **_of_versions(_secret, ""),
    **_of_versions(_by_id, " by id"),
    **_OF_KEYS_AND_INJECTIONS,
    **_OF_GATEWAYS,
    "ready": lambda _, client: _get(client, "/readyz"),
}
