"""Writing to the database mints no access: planted and edited API keys and accounts are refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.access.api_keys import ApiKey, Token
from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.damage import DamagedRow
from app.domain.errors import DevboxCapabilityMissing, TamperedRow, Unauthenticated
from app.domain.ids import API_KEY, new_id
from tests.support.databases import Rows
from tests.support.deployment import Clock, Deployment, Tenant, new_tenant, readdressed, with_key
from tests.support.labels import new_label

NOTHING = bytes(32)
MINUTE_MS = 60_000


@pytest.fixture
def weak(deployment: Deployment, tenant: Tenant) -> Tenant:
    """The tenant through a key of one scope that lives for a minute."""
    return with_key(
        tenant.services,
        tenant.caller.account_id,
        scopes=frozenset({Scope.SECRETS_READ}),
        expires_at_ms=deployment.clock() + MINUTE_MS,
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Deployment]:
    """Another deployment, whose keys the attacker knows."""
    home = tmp_path / "elsewhere"
    home.mkdir(mode=0o700)
    deployment = Deployment(home, Clock())
    deployment.key_file("keys")
    deployment.process().setup.initialise()
    yield deployment
    deployment.close()


def is_refused(tenant: Tenant, token: Token) -> bool:
    try:
        tenant.services.authentication.authenticate(token)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize(
    "columns",
    [
        {"scopes": " ".join(sorted(ALL_SCOPES))},
        {"scopes": "secrets:read secrets:inject"},
        {"scopes": ""},
        {"scopes": "secrets:everything"},
        {"expires_at_ms": None},
        {"expires_at_ms": 2**53},
        {"restricted": 0},
        {"restricted": 2},
        {"name": "another name"},
        {"created_at_ms": 0},
        {"revoked_at_ms": 2**53},
        {"token_digest": NOTHING},
        {"token_digest": b""},
        {"mac": NOTHING},
        {"mac": b""},
        {"mac_key_id": "dk_0000000000000000000000"},
        {"mac_key_id": ""},
    ],
    ids=str,
)
def test_an_edited_api_key_is_refused(weak: Tenant, rows: Rows, columns: dict[str, object]) -> None:
    rows.edit("api_keys", {"id": weak.key.id}, **columns)
    assert is_refused(weak, weak.key.token)


def test_an_expired_api_key_cannot_be_extended(
    deployment: Deployment, weak: Tenant, rows: Rows
) -> None:
    deployment.clock.advance(seconds=60)
    rows.edit("api_keys", {"id": weak.key.id}, expires_at_ms=deployment.clock() + MINUTE_MS)
    assert is_refused(weak, weak.key.token)


def test_a_revoked_api_key_cannot_be_brought_back(weak: Tenant, rows: Rows) -> None:
    weak.services.api_keys.revoke(weak.caller.account_id, weak.key.id)
    rows.edit("api_keys", {"id": weak.key.id}, revoked_at_ms=None)
    assert is_refused(weak, weak.key.token)


def test_a_key_does_not_take_over_what_another_row_grants(
    tenant: Tenant, weak: Tenant, rows: Rows
) -> None:
    strong = rows.one("api_keys", id=tenant.key.id)
    rows.edit("api_keys", {"id": weak.key.id}, **{k: strong[k] for k in strong if k != "id"})
    account_id = tenant.caller.account_id
    tokens = [
        weak.key.token,
        readdressed(weak.key.token, account_id=account_id, row_id=tenant.key.id),
        readdressed(tenant.key.token, account_id=account_id, row_id=weak.key.id),
    ]
    assert [is_refused(weak, token) for token in tokens] == [True, True, True]


def test_a_key_moved_to_another_account_is_refused_there(tenant: Tenant, rows: Rows) -> None:
    victim = new_tenant(tenant.services).caller.account_id
    rows.edit("api_keys", {"id": tenant.key.id}, account_id=victim)
    moved = readdressed(tenant.key.token, account_id=victim, row_id=tenant.key.id)
    assert is_refused(tenant, moved)


def test_a_copied_key_is_refused_under_a_new_id(tenant: Tenant, rows: Rows) -> None:
    key_id = new_id(API_KEY)
    rows.plant("api_keys", rows.one("api_keys", id=tenant.key.id) | {"id": key_id})
    copied = readdressed(tenant.key.token, account_id=tenant.caller.account_id, row_id=key_id)
    assert is_refused(tenant, copied)


def test_a_key_made_under_other_keys_is_refused(
    tenant: Tenant, rows: Rows, elsewhere: Deployment
) -> None:
    services = elsewhere.process()
    issued = services.api_keys.issue(
        services.accounts.create(new_label("theirs")).id, name="theirs"
    )
    with elsewhere.rows() as theirs:
        account, key = theirs.one("accounts"), theirs.one("api_keys")
    rows.plant("accounts", account)
    rows.plant("api_keys", key)
    assert is_refused(tenant, issued.token)


def test_a_key_made_under_other_keys_is_refused_in_an_account_of_ours(
    tenant: Tenant, rows: Rows, elsewhere: Deployment
) -> None:
    with elsewhere.rows() as theirs:
        theirs.plant("accounts", rows.one("accounts"))
        services = elsewhere.process()
        issued = services.api_keys.issue(tenant.caller.account_id, name="theirs")
        rows.plant("api_keys", theirs.one("api_keys"))
    assert is_refused(tenant, issued.token)


@pytest.mark.parametrize("column", ["mac", "token_digest", "scopes", "id", "restricted"])
def test_listing_the_keys_of_an_account_tells_of_an_edited_one(
    weak: Tenant, rows: Rows, column: str
) -> None:
    other = {"mac": NOTHING, "token_digest": NOTHING, "scopes": "keys:write", "restricted": 0}
    rows.edit("api_keys", {"id": weak.key.id}, **{column: other.get(column, new_id(API_KEY))})
    listed = [*weak.services.api_keys.list(weak.caller.account_id)]
    assert [row for row in listed if isinstance(row, DamagedRow)]
    assert weak.key.id not in [key.id for key in listed if isinstance(key, ApiKey)]


@pytest.mark.parametrize(
    "columns",
    [
        {"devbox": 1},
        {"devbox": 1, "mac": NOTHING},
        {"devbox": 7},
        {"mac_key_id": "dk_0000000000000000000000"},
        {"mac": NOTHING},
    ],
    ids=str,
)
def test_an_edited_account_is_refused(
    tenant: Tenant, rows: Rows, columns: dict[str, object]
) -> None:
    account_id = tenant.caller.account_id
    tenant.services.accounts.set_devbox(account_id, devbox=False)
    rows.edit("accounts", {"id": account_id}, **columns)
    assert is_refused(tenant, tenant.key.token)


def test_an_account_does_not_take_the_capability_of_another(tenant: Tenant, rows: Rows) -> None:
    capable = rows.one("accounts", id=new_tenant(tenant.services).caller.account_id)
    account_id = tenant.caller.account_id
    tenant.services.accounts.set_devbox(account_id, devbox=False)
    rows.edit("accounts", {"id": capable["id"]}, name="out of the way: names are unique")
    rows.edit("accounts", {"id": account_id}, **{k: capable[k] for k in capable if k != "id"})
    assert is_refused(tenant, tenant.key.token)


def test_the_capability_cannot_be_given_to_an_edited_account(tenant: Tenant, rows: Rows) -> None:
    account_id = tenant.caller.account_id
    rows.edit("accounts", {"id": account_id}, mac=NOTHING)
    with pytest.raises(TamperedRow):
        tenant.services.accounts.set_devbox(account_id, devbox=True)


def test_an_edited_key_cannot_be_signed_anew_by_revoking_it(weak: Tenant, rows: Rows) -> None:
    rows.edit("api_keys", {"id": weak.key.id}, scopes="keys:write")
    with pytest.raises(TamperedRow):
        weak.services.api_keys.revoke(weak.caller.account_id, weak.key.id)


def test_without_the_capability_a_good_key_is_told_so(tenant: Tenant) -> None:
    tenant.services.accounts.set_devbox(tenant.caller.account_id, devbox=False)
    with pytest.raises(DevboxCapabilityMissing):
        tenant.services.authentication.authenticate(tenant.key.token)
