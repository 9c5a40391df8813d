"""The directory of metrics is one server's own, and goes when that does."""

import stat
from pathlib import Path

from app.observability.metrics.directory import MetricsDirectory


def test_a_server_keeps_its_directory_when_it_reads_its_settings_again(tmp_path: Path) -> None:
    directory = MetricsDirectory()
    assert directory.made(tmp_path) == directory.made(tmp_path)


def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    made = MetricsDirectory().made(tmp_path)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_the_directory_of_a_server_that_lives_stays(tmp_path: Path) -> None:
    of_another = MetricsDirectory()
    path = of_another.made(tmp_path)
    MetricsDirectory().made(tmp_path)
    assert path.is_dir()


def test_the_directory_of_a_server_that_was_killed_goes(tmp_path: Path) -> None:
    (tmp_path / "strongroom-metrics-left").mkdir()
    made = MetricsDirectory().made(tmp_path)
    assert list(tmp_path.iterdir()) == [made]


def test_what_is_not_a_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "strongroom-metrics-link"
    link.symlink_to(tmp_path / "elsewhere")
    MetricsDirectory().made(tmp_path)
    assert link.is_symlink()


def test_an_orderly_end_leaves_nothing(tmp_path: Path) -> None:
    directory = MetricsDirectory()
    directory.made(tmp_path)
    directory.remove()
    assert list(tmp_path.iterdir()) == []
