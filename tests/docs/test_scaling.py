"""``docs/scaling.md``: its numbers are those of the code and of the shipped files."""

import re
from pathlib import Path

import yaml

from app.repository.postgresql.check import RESERVE

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "scaling.md").read_text()
_ROW = re.compile(r"^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+)", re.MULTILINE)
_RESERVED_FOR_SUPERUSERS = 3


def test_the_connections_of_each_example_are_those_that_check_asks_for() -> None:
    rows = [tuple(map(int, row)) for row in _ROW.findall(_PAGE)]
    assert len(rows) > 3
    for nodes, workers, connections, needed, permitted in rows:
        assert needed == nodes * workers * connections * 2 + RESERVE
        assert permitted == needed + _RESERVED_FOR_SUPERUSERS


def test_the_shipped_cluster_is_the_one_of_the_page() -> None:
    patroni = yaml.safe_load((_ROOT / "config" / "patroni.yml").read_text())
    assert len(patroni["etcd3"]["hosts"]) == 3
    decided = patroni["bootstrap"]["dcs"]
    assert decided["synchronous_mode"] is True
    assert "synchronous_mode_strict" not in decided
    assert f"switchover {patroni['scope']}" in _PAGE
