"""A real server on PostgreSQL, and the official client: all of it together, in seconds."""

from pathlib import Path
from typing import Any

from runloop_api_client import Runloop

from tests.e2e.test_postgresql_failures import serving
from tests.support.postgresql import PostgresqlServer


def test_the_official_client_is_served_from_postgresql(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with (
        serving(tmp_path, postgresql) as (server, account),
        Runloop(base_url=server.url, bearer_token=account.token) as client,
    ):
        for name in ("A", "B"):
            client.secrets.create(name=name, value=f"value of {name}")
        client.secrets.update("A", value="another value")
        client.secrets.delete("B")
        assert [each.name for each in client.secrets.list().secrets] == ["A"]
        body = {"secrets": {"VARIABLE": "A"}}
        made: Any = client.post("/v1/injections", body=body, cast_to=object)
        with Runloop(base_url=server.url, bearer_token=made["token"]) as process:
            redeemed: Any = process.post("/v1/injections/redeem", body={}, cast_to=object)
        assert redeemed["environment"] == {"VARIABLE": "another value"}
        assert not (server.home / "strongroom.db").exists()
