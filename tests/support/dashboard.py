"""The dashboard of Grafana: its panels, and the queries that they ask."""

import json
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "config" / "grafana-dashboard.json"


@dataclass(frozen=True)
class Target:
    """A query of a panel, with variables in it, and the name of each line in the legend."""

    expression: str
    legend: str

    def query(self, instance: str, rate_interval: str) -> str:
        """Replace the variables as Grafana does it for one selected instance."""
        selected = re.escape(instance).replace("\\", "\\\\")
        return self.expression.replace("$instance", selected).replace(
            "$__rate_interval", rate_interval
        )

    def legend_of(self, labels: dict[str, str]) -> str:
        """Return the name of the line with these labels."""
        return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """A panel with its queries."""

    title: str
    unit: str
    targets: tuple[Target, ...]


def dashboard() -> dict[str, Any]:
    """Read the whole file."""
    read: dict[str, Any] = json.loads(FILE.read_text())
    return read


def rows() -> dict[str, list[Panel]]:
    """Return the panels below the title of their row."""
    every = dashboard()["panels"]
    return {
        each["title"]: [_panel(panel) for panel in takewhile(_is_no_row, every[number + 1 :])]
        for number, each in enumerate(every)
        if not _is_no_row(each)
    }


def panels() -> dict[str, Panel]:
    """Return all panels by their title."""
    return {panel.title: panel for inside in rows().values() for panel in inside}


def _is_no_row(panel: dict[str, Any]) -> bool:
    return bool(panel["type"] != "row")


def _panel(panel: dict[str, Any]) -> Panel:
    targets = (Target(each["expr"], each["legendFormat"]) for each in panel["targets"])
    return Panel(panel["title"], panel["fieldConfig"]["defaults"]["unit"], tuple(targets))
