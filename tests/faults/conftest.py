"""Each trial is made once, and looked at by several tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.faults.providers import BACKENDS
from tests.faults.scene import Scene
from tests.faults.trial import Cell, Outcome, outcome_of
from tests.faults.watching import watching

SceneOf = Callable[[str], Scene]


@pytest.fixture(scope="module")
def scene_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SceneOf]:
    """The scene of a scheme: one for all its trials."""
    scenes: dict[str, Scene] = {}
    with ExitStack() as stack:
        providers = stack.enter_context(watching())

        def scene_of(scheme: str) -> Scene:
            if scheme not in scenes:
                home = tmp_path_factory.mktemp(scheme)
                home.chmod(0o700)
                scenes[scheme] = Scene(home, BACKENDS[scheme](request), providers)
                stack.callback(scenes[scheme].close)
            return scenes[scheme]

        yield scene_of


@pytest.fixture(scope="module")
def outcomes() -> dict[Cell, Outcome]:
    """What came of the trials so far."""
    return {}


@pytest.fixture
def outcome(cell: Cell, scene_of: SceneOf, outcomes: dict[Cell, Outcome]) -> Outcome:
    """What came of the cell's trial."""
    if cell not in outcomes:
        outcomes[cell] = outcome_of(cell, scene_of(cell.scheme))
    return outcomes[cell]
