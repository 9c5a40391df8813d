"""The dashboard covers every metric, asks for the chosen nodes, and is as its pictures show it."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import Target, dashboard, panels, rows

DOCS = Path(__file__).parents[3] / "docs"
METRIC = re.compile(r"strongroom_\w+")
OLDEST_SCHEMA = 38  # of Grafana 10.0
TARGETS = [each for panel in panels().values() for each in panel.targets]


def test_every_documented_metric_of_the_server_is_on_the_dashboard() -> None:
    page, _, _of_the_gateway = (DOCS / "metrics.md").read_text().partition("\n## The gateway\n")
    documented = set(re.findall("^\\| `(strongroom_[a-z_]+)` ", page, re.MULTILINE))
    asked = {name for each in TARGETS for name in METRIC.findall(each.expression)}
    assert {re.sub("_(bucket|count)$", "", name) for name in asked} == documented


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each.expression[:60])
def test_every_metric_of_a_query_is_of_the_chosen_nodes(target: Target) -> None:
    of_nodes = re.findall(r'(strongroom_\w+)\{instance=~"\$instance"', target.expression)
    assert METRIC.findall(target.expression) == of_nodes


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each.expression[:60])
def test_a_legend_names_every_label_of_a_line_that_its_query_keeps(target: Target) -> None:
    grouped = re.findall(r"by \(([^)]*)\)", target.expression)
    labels = {label for group in grouped for label in group.split(", ")} - {"le"}
    assert labels == set(re.findall(r"{{(\w+)}}", target.legend))


def test_grafana_10_reads_the_schema() -> None:
    assert dashboard()["schemaVersion"] == OLDEST_SCHEMA


def test_the_id_is_the_importing_grafanas_choice() -> None:
    assert dashboard()["id"] is None


def test_the_source_and_the_node_are_variables() -> None:
    variables = [(each["name"], each["type"]) for each in dashboard()["templating"]["list"]]
    assert variables == [("datasource", "datasource"), ("instance", "query")]


def test_every_query_goes_to_the_chosen_source() -> None:
    assert set(uids(dashboard())) == {"${datasource}"}


def test_no_panel_hides_another() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []


def test_ids_are_unique() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("row", rows())
def test_the_picture_of_a_row_shows_its_panels(row: str) -> None:
    picture = (DOCS / "metrics" / f"{row.lower()}.svg").read_text()
    assert [each.title for each in rows()[row] if f">{each.title}<" not in picture] == []


@pytest.mark.parametrize("row", rows())
def test_the_page_shows_the_picture_of_a_row(row: str) -> None:
    assert f"](metrics/{row.lower()}.svg)" in (DOCS / "metrics.md").read_text()


def uids(part: Any) -> list[str]:
    """The sources of all parts of the dashboard that name one."""
    if isinstance(part, list):
        return [uid for each in part for uid in uids(each)]
    if not isinstance(part, dict):
        return []
    source = part.get("datasource")
    own = [source["uid"]] if isinstance(source, dict) else []
    return own + [uid for each in part.values() for uid in uids(each)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
