"""A page of injections ends at its limit or at 1 MiB."""

import pytest

from app.domain.injections import MAX_PAGE_BYTES, Injection, InjectionView
from app.services.rows.pages import BoundedPage
from tests.support.deployment import Deployment, Tenant


@pytest.fixture
def large(tenant: Tenant) -> Tenant:
    """Forty injections whose stored maps are of nearly 32 KiB."""
    tenant.create("A")
    variables = {f"V{number:080}": "A" for number in range(240)}
    for _ in range(40):
        tenant.services.injections.create(tenant.caller, variables, 300, None)
    return tenant


def maps(tenant: Tenant, after_id: str | None) -> tuple[list[Injection], bool]:
    page = tenant.services.injections.list(tenant.caller, 5000, after_id)
    views = [view for view in page.injections if isinstance(view, InjectionView)]
    return [view.injection for view in views], page.has_more


def test_a_page_of_injections_ends_at_1_mib(large: Tenant) -> None:
    found, has_more = maps(large, None)
    assert has_more
    assert 0.9 * MAX_PAGE_BYTES < sum(len(each.bound) for each in found) <= MAX_PAGE_BYTES


def test_the_pages_after_it_hold_all_others(large: Tenant) -> None:
    first, _ = maps(large, None)
    rest, has_more = maps(large, first[-1].id)
    assert (len(first) + len(rest), has_more) == (40, False)


def test_a_page_of_more_injections_than_are_read_at_once_is_whole(
    deployment: Deployment, tenant: Tenant
) -> None:
    tenant.create("A")
    made = [tenant.inject("A").id for _ in range(205)]
    page = tenant.services.injections.list(tenant.caller, 204, None)
    assert [view.id for view in page.injections] == made[:0:-1]
    assert page.has_more


def test_a_row_over_the_bound_is_on_a_page_of_its_own() -> None:
    page = BoundedPage[str](10, 100)
    page.add("large", 101)
    page.add("small", 1)
    assert (page.rows, page.has_more, page.room) == (["large"], True, 0)
