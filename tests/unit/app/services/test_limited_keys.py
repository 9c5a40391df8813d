"""Keys that are limited to names: they hand over these secrets, and do and see nothing else."""

from contextlib import suppress

import pytest

from app.domain.access.name_limits import MAX_NAMES, NameLimit
from app.domain.access.scopes import Scope
from app.domain.errors import (
    InjectionNotFound,
    InvalidRequest,
    SecretsMissing,
    TamperedRow,
    Unauthenticated,
)
from app.domain.injections import InjectionView
from backends.errors import DecryptionError
from tests.support.databases import Rows
from tests.support.deployment import Tenant

INJECT = frozenset({Scope.SECRETS_INJECT})
NAMES = ("DB_PASS", "DB_PASS_2", "CI_TOKEN", "CI_URL", "XCI_TOKEN", "OTHER")


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    for name in NAMES:
        tenant.create(name, f"value of {name}")
    return tenant


def limited(tenant: Tenant, *patterns: str) -> Tenant:
    key = tenant.services.api_keys.issue(
        tenant.caller.account_id, name="ci", scopes=INJECT, names=NameLimit.of(patterns)
    )
    return Tenant(tenant.services, key, tenant.services.authentication.authenticate(key.token))


def handed_over(tenant: Tenant, refs: dict[str, str]) -> set[str]:
    """The names whose values can be had, each asked for alone."""
    given = set()
    for name, ref in refs.items():
        with suppress(SecretsMissing):
            made = tenant.services.injections.create(tenant.caller, {"VAR": ref}, 300, None)
            assert tenant.redeem(made.token) == {"VAR": f"value of {name}"}
            given.add(name)
    return given


@pytest.mark.parametrize(
    ("patterns", "permitted"),
    [
        (("DB_PASS",), {"DB_PASS"}),
        (("CI_*",), {"CI_TOKEN", "CI_URL"}),
        (("DB_PASS*", "OTHER"), {"DB_PASS", "DB_PASS_2", "OTHER"}),
        (("NONE_SUCH",), set()),
    ],
)
@pytest.mark.parametrize("by_id", [False, True], ids=["by name", "by id"])
def test_a_limited_key_hands_over_exactly_its_names(
    stocked: Tenant, rows: Rows, patterns: tuple[str, ...], permitted: set[str], *, by_id: bool
) -> None:
    column = "id" if by_id else "name"
    refs = {name: rows.one("secrets", name=name)[column] for name in NAMES}
    assert handed_over(limited(stocked, *patterns), refs) == permitted


def test_one_name_outside_of_the_limit_takes_none(stocked: Tenant, rows: Rows) -> None:
    with pytest.raises(SecretsMissing) as refused:
        limited(stocked, "DB_PASS").inject("DB_PASS", "OTHER", "ABSENT")
    assert refused.value.names == ("ABSENT", "OTHER")
    assert rows.all("injections") == []


def test_a_name_that_is_made_later_is_within_the_limit(stocked: Tenant) -> None:
    ci = limited(stocked, "NEW_*")
    stocked.create("NEW_TOKEN", "value of NEW_TOKEN")
    assert ci.values("NEW_TOKEN") == {"NEW_TOKEN": "value of NEW_TOKEN"}


def test_a_secret_that_is_renamed_into_the_limit_gives_nothing(stocked: Tenant, rows: Rows) -> None:
    ci = limited(stocked, "CI_*")
    rows.edit("secrets", {"name": "OTHER"}, name="CI_OTHER")
    token = ci.inject("CI_OTHER").token
    with pytest.raises(DecryptionError):
        ci.redeem(token)
    rows.edit("secrets", {"name": "CI_OTHER"}, name="OTHER")
    with pytest.raises(TamperedRow):
        ci.redeem(token)


@pytest.mark.parametrize("names", ["OTHER", "CI_* OTHER", "", None])
def test_the_limit_in_the_row_cannot_be_edited(
    stocked: Tenant, rows: Rows, names: str | None
) -> None:
    ci = limited(stocked, "CI_*")
    rows.edit("api_keys", {"id": ci.key.id}, names=names)
    with pytest.raises(Unauthenticated):
        ci.authenticate()


def listed(tenant: Tenant, after_id: str | None = None) -> list[str]:
    page = tenant.services.injections.list(tenant.caller, 10, after_id)
    return [each.injection.id for each in page.injections if isinstance(each, InjectionView)]


def test_a_limited_key_lists_its_own_injections_only(stocked: Tenant) -> None:
    ci = limited(stocked, "CI_*")
    own = [ci.inject("CI_URL").id for _ in range(2)]
    others = [stocked.inject("OTHER").id]
    assert listed(ci) == own[::-1]
    assert listed(ci, own[1]) == own[:1]
    assert listed(stocked) == others + own[::-1]


def test_a_limited_key_neither_sees_nor_revokes_the_injections_of_others(stocked: Tenant) -> None:
    ci = limited(stocked, "CI_*")
    other = stocked.inject("OTHER")
    with pytest.raises(InjectionNotFound):
        ci.services.injections.get(ci.caller, other.id)
    with pytest.raises(InjectionNotFound):
        ci.services.injections.revoke(ci.caller, other.id, None)
    assert stocked.redeem(other.token) == {"OTHER": "value of OTHER"}


LIMITED = INJECT | {Scope.GATEWAYS_USE}


@pytest.mark.parametrize("scopes", [LIMITED, LIMITED - INJECT, INJECT])
def test_names_go_with_injecting_and_with_the_use_of_gateways(
    tenant: Tenant, scopes: frozenset[Scope]
) -> None:
    issued = tenant.services.api_keys.issue(
        tenant.caller.account_id, name="ci", scopes=scopes, names=NameLimit.of(["A"])
    )
    assert issued.scopes == scopes


@pytest.mark.parametrize(
    "scopes",
    [frozenset(), frozenset(Scope), *(INJECT | {each} for each in sorted(set(Scope) - LIMITED))],
    ids=lambda scopes: "+".join(sorted(scopes)) or "none",
)
def test_names_go_with_no_other_scope(tenant: Tenant, scopes: frozenset[Scope]) -> None:
    with pytest.raises(InvalidRequest, match="secrets:inject"):
        tenant.services.api_keys.issue(
            tenant.caller.account_id, name="ci", scopes=scopes, names=NameLimit.of(["A"])
        )


@pytest.mark.parametrize(
    "patterns",
    [
        [],
        [""],
        ["*"],
        ["A*B"],
        ["A**"],
        ["*A"],
        ["A B"],
        ["A\n"],
        ["1A"],
        ["sec_0000000000000000000000"],
        ["x" * 256],
        [f"N{number}" for number in range(MAX_NAMES + 1)],
    ],
    ids=lambda patterns: str(patterns)[:20],
)
def test_what_is_no_name_and_no_beginning_of_one_is_refused(patterns: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        NameLimit.of(patterns)
