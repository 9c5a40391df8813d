"""Alerts of Prometheus, judged on what a real server shows before and during a fault."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.programs import require

RULES = Path(__file__).parents[2] / "config" / "prometheus-alerts.yml"

_BEFORE, _DURING = 30, 60 * 25  # minutes; the longest that an alert waits is a day
_COUNTING = frozenset({"counter", "histogram"})

Samples = dict[tuple[str, frozenset[tuple[str, str]]], tuple[float, bool]]
"""The value of each sample by name and labels, and whether it only grows."""


@dataclass(frozen=True)
class Scrapes:
    """What a server shows when it is well, and when it has a fault; ``None`` for no answer."""

    well: str
    faulty: str | None


def firing(scrapes: Scrapes, directory: Path) -> set[str]:
    """Return the names of the alerts that fire while the fault lasts.

    What was measured stays as it was measured. What was counted grows on, each minute by as much as
    between the two scrapes.
    """
    series = [
        _series("up", frozenset(), 1.0, 0.0 if scrapes.faulty is None else 1.0),
        *_all_series(_samples(scrapes.well), _samples(scrapes.faulty or "")),
    ]
    asked = {"eval_time": f"{_BEFORE + _DURING - 5}m", "exp_alerts": []}
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [{**asked, "alertname": name} for name in alert_names()],
            }
        ],
    }
    (directory / "test.json").write_text(json.dumps(test))  # which is YAML, too
    done = subprocess.run(
        [require("promtool"), "test", "rules", str(directory / "test.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    found = set(re.findall("alertname: *([A-Za-z]+)", done.stdout + done.stderr))
    assert bool(found) == bool(done.returncode), done.stderr
    return found


def alert_names() -> list[str]:
    """Return the names of all alerts."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["alert"] for rule in group["rules"]]


def _samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): (sample.value, family.type in _COUNTING)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _all_series(well: Samples, faulty: Samples) -> list[dict[str, str]]:
    made = []
    for (name, labels), (after, grows) in faulty.items():
        before, _ = well.get((name, labels), (0.0, grows))
        made.append(_series(name, labels, before, after, grows=grows))
    for (name, labels), (before, _) in well.items():
        if (name, labels) not in faulty:  # it goes
            made.append(_series(name, labels, before, None))
    return made


def _series(
    name: str,
    labels: frozenset[tuple[str, str]],
    before: float,
    after: float | None,
    *,
    grows: bool = False,
) -> dict[str, str]:
    every = {"job": "strongroom", "instance": "a-node", **dict(labels)}
    shown = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(every.items()))
    if after is None:
        then = f"_x{_DURING}"
    elif grows and after > before:
        then = f"{after}+{after - before}x{_DURING}"
    else:
        then = f"{after}+0x{_DURING}"
    return {"series": f"{name}{{{shown}}}", "values": f"{before}+0x{_BEFORE} {then}"}
