"""API keys: no key mints more than it has, and a revoked one is dead on the next request."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import pytest

from app.domain.access.api_keys import IssuedApiKey, Token
from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.errors import (
    ApiKeyNotFound,
    InvalidRequest,
    ScopeMissing,
    Unauthenticated,
)
from tests.support.deployment import Deployment, Tenant, new_tenant, readdressed, with_key
from tests.unit.app.services.steps import Steps, stepped

MINUTE_MS = 60_000
SUBSETS = [frozenset(each) for size in range(5) for each in combinations(sorted(ALL_SCOPES), size)]


def mint(
    tenant: Tenant,
    scopes: frozenset[Scope] | None = None,
    expires_at_ms: int | None = None,
    name: str = "minted",
) -> IssuedApiKey:
    return tenant.services.api_keys.mint(
        tenant.caller, name=name, scopes=scopes, expires_at_ms=expires_at_ms, retry=None
    )


def is_refused(tenant: Tenant, token: Token) -> bool:
    try:
        tenant.services.authentication.authenticate(token)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize("has", SUBSETS, ids=lambda scopes: "+".join(sorted(scopes)) or "none")
def test_a_key_mints_exactly_what_it_has_or_less(tenant: Tenant, has: frozenset[Scope]) -> None:
    limited = with_key(tenant.services, tenant.caller.account_id, scopes=has)
    for wanted in filter(None, SUBSETS):
        if wanted <= has:
            minted = limited.services.authentication.authenticate(mint(limited, wanted).token)
            assert minted.scopes == wanted
        else:
            with pytest.raises(ScopeMissing):
                mint(limited, wanted)


def test_no_key_is_minted_that_could_do_nothing(tenant: Tenant) -> None:
    with pytest.raises(InvalidRequest):
        mint(tenant, frozenset())


def test_without_chosen_scopes_a_key_mints_its_own(tenant: Tenant) -> None:
    scopes = frozenset({Scope.SECRETS_READ, Scope.KEYS_WRITE})
    limited = with_key(tenant.services, tenant.caller.account_id, scopes=scopes)
    assert limited.services.authentication.authenticate(mint(limited).token).scopes == scopes


def test_a_minted_key_lives_as_long_as_its_maker_at_most(
    deployment: Deployment, tenant: Tenant
) -> None:
    expiry = deployment.clock() + MINUTE_MS
    brief = with_key(tenant.services, tenant.caller.account_id, expires_at_ms=expiry)
    assert mint(brief).expires_at_ms == expiry
    assert mint(brief, expires_at_ms=expiry - 1).expires_at_ms == expiry - 1
    with pytest.raises(InvalidRequest):
        mint(brief, expires_at_ms=expiry + 1)


@pytest.mark.parametrize("offset_ms", [0, -1, -MINUTE_MS])
def test_no_key_is_minted_that_has_expired_already(
    deployment: Deployment, tenant: Tenant, offset_ms: int
) -> None:
    with pytest.raises(InvalidRequest):
        mint(tenant, expires_at_ms=deployment.clock() + offset_ms)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b", "a\u202eb"])
def test_a_name_that_breaks_a_rule_is_refused(tenant: Tenant, name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        mint(tenant, name=name)


def test_a_key_is_refused_from_the_moment_it_expires(
    deployment: Deployment, tenant: Tenant
) -> None:
    brief = mint(tenant, expires_at_ms=deployment.clock() + MINUTE_MS)
    deployment.clock.advance(seconds=59.999)
    assert not is_refused(tenant, brief.token)
    deployment.clock.advance(seconds=0.001)
    assert is_refused(tenant, brief.token)


def test_a_revoked_key_is_refused_on_the_next_request_of_every_process(
    deployment: Deployment, tenant: Tenant
) -> None:
    processes = [tenant.at(deployment.process()) for _ in range(3)]
    assert [process.authenticate() for process in processes] == [tenant.caller] * 3
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    assert [is_refused(process, tenant.key.token) for process in processes] == [True] * 3


def test_revoking_again_keeps_the_first_time(deployment: Deployment, tenant: Tenant) -> None:
    first = tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    deployment.clock.advance(seconds=1)
    again = tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    assert again.key == first.key


def test_a_key_of_another_account_is_not_found(tenant: Tenant) -> None:
    other = new_tenant(tenant.services)
    with pytest.raises(ApiKeyNotFound):
        tenant.services.api_keys.revoke(tenant.caller.account_id, other.key.id)
    assert not is_refused(other, other.key.token)


def test_the_list_shows_every_key_of_the_account_and_no_other(tenant: Tenant) -> None:
    new_tenant(tenant.services)
    minted = [mint(tenant).id for _ in range(2)]
    listed = tenant.services.api_keys.list(tenant.caller.account_id)
    assert [key.id for key in listed] == [tenant.key.id, *minted]


@pytest.mark.parametrize(("scopes", "prefix"), [(None, "ak_"), (ALL_SCOPES, "rk_")])
def test_a_restricted_key_says_so(
    tenant: Tenant, scopes: frozenset[Scope] | None, prefix: str
) -> None:
    assert mint(tenant, scopes).token.reveal().startswith(prefix)


def test_a_key_under_the_prefix_of_the_other_kind_is_refused(tenant: Tenant) -> None:
    text = tenant.key.token.reveal().replace("ak_", "rk_", 1)
    other = readdressed(Token(text), account_id=tenant.caller.account_id, row_id=tenant.key.id)
    assert is_refused(tenant, other)


MALFORMED: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "prefix alone": lambda _: "ak_",
    "short": lambda text: text[:-1],
    "long": lambda text: text + "0",
    "newline": lambda text: text + "\n",
    "space": lambda text: " " + text,
    "upper case": lambda text: text.upper(),
    "checksum": lambda text: text[:-1] + ("1" if text[-1] == "0" else "0"),
    "typing error": lambda text: text[:60] + ("1" if text[60] == "0" else "0") + text[61:],
    "exchanged ids": lambda text: "_".join(text.split("_")[i] for i in (0, 2, 1, 3)),
    "surrogate": lambda text: text[:-1] + "\ud800",
    "other digits": lambda text: text[:-1] + "٣",
    "NUL": lambda text: text[:-1] + "\0",
    "very long": lambda text: text * 10_000,
}


@pytest.mark.parametrize("change", MALFORMED)
def test_a_malformed_key_is_refused_without_asking_the_database(
    deployment: Deployment, tenant: Tenant, change: str
) -> None:
    steps = Steps()
    asked = tenant.at(deployment.process(database=stepped(deployment.database, steps)))
    assert is_refused(asked, Token(MALFORMED[change](tenant.key.token.reveal())))
    assert steps.names == []


def test_every_typing_error_of_one_character_is_noticed(tenant: Tenant) -> None:
    text = tenant.key.token.reveal()
    wrong = [
        text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]
        for place in range(len(text))
    ]
    assert all(is_refused(tenant, Token(each)) for each in wrong)


def test_a_key_with_another_secret_is_refused(tenant: Tenant) -> None:
    other = readdressed(
        mint(tenant).token, account_id=tenant.caller.account_id, row_id=tenant.key.id
    )
    assert is_refused(tenant, other)


def test_no_two_keys_share_a_secret(tenant: Tenant) -> None:
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda _: mint(tenant).token.reveal(), range(20)))
    assert len({token.rpartition("_")[2] for token in tokens}) == 20
