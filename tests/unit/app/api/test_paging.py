"""Lists: newest first, one page after another."""

import pytest

from tests.support.api_deployment import ApiDeployment, Client, body_of

NAMES = [f"NAME_{number:02}" for number in range(25)]


@pytest.fixture(scope="module")
def reader(deployment: ApiDeployment) -> Client:
    client = deployment.new_account().client()
    for name in NAMES:
        client.create(name)
    return client


def _names(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [secret["name"] for secret in page["secrets"]]


@pytest.mark.parametrize("query", ["", "?limit", "?limit="])
def test_a_page_holds_twenty_unless_asked_otherwise(reader: Client, query: str) -> None:
    page = body_of(reader.get(f"/v1/secrets{query}"))
    assert _names(page) == NAMES[:4:-1]
    assert (page["has_more"], page["total_count"]) == (True, 25)


@pytest.mark.parametrize(
    ("limit", "count", "has_more"),
    [(1, 1, True), (24, 24, True), (25, 25, False), (5000, 25, False)],
)
def test_a_page_holds_at_most_its_limit(
    reader: Client, limit: int, count: int, has_more: bool
) -> None:
    page = body_of(reader.get(f"/v1/secrets?limit={limit}"))
    assert (len(page["secrets"]), page["has_more"], page["total_count"]) == (count, has_more, 25)


def test_pages_follow_each_other_without_gap_or_overlap(reader: Client) -> None:
    seen: list[str] = []
    query = "limit=7"
    while True:
        page = body_of(reader.get(f"/v1/secrets?{query}"))
        seen += _names(page)
        if not page["has_more"]:
            break
        query = f"limit=7&starting_after={page['secrets'][-1]['id']}"
    assert seen == NAMES[::-1]


def test_a_deleted_secret_is_still_a_position(deployment: ApiDeployment) -> None:
    client = deployment.new_account().client()
    made = [client.create(name) for name in ("A", "B", "C")]
    client.post("/v1/secrets/B/delete")
    page = body_of(client.get(f"/v1/secrets?starting_after={made[1]['id']}"))
    assert _names(page) == ["A"]


def test_a_list_is_filtered_by_exact_name(reader: Client) -> None:
    page = body_of(reader.get("/v1/secrets?name=NAME_07"))
    assert (_names(page), page["total_count"]) == (["NAME_07"], 1)


def test_a_list_is_searched_in_either_case_and_without_wildcards(reader: Client) -> None:
    assert _names(body_of(reader.get("/v1/secrets?search=me_1&limit=3"))) == NAMES[19:16:-1]
    assert _names(body_of(reader.get("/v1/secrets?search=E_1_"))) == []


def test_a_count_is_left_out_on_request(reader: Client) -> None:
    assert "total_count" not in body_of(reader.get("/v1/secrets?include_total_count=false"))
    assert "total_count" in body_of(reader.get("/v1/secrets?include_total_count=true"))
