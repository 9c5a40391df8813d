"""Each trial is made once, and looked at by several tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from backends.keyring import bounded_provider
from tests.faults.fault import Backend
from tests.faults.providers import BACKENDS
from tests.faults.scene import Scene
from tests.faults.trial import Cell, Outcome, outcome_of
from tests.faults.watching import watching

SceneOf = Callable[[str, str], Scene]
"""The scene of a scheme in a role: one for all its trials."""


@pytest.fixture(scope="module")
def scene_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SceneOf]:
    with ExitStack() as stack:
        providers = stack.enter_context(watching())

        @cache
        def backend_of(scheme: str) -> Backend:
            return BACKENDS[scheme](request)

        @cache
        def scene_of(scheme: str, role: str) -> Scene:
            home = tmp_path_factory.mktemp(scheme)
            home.chmod(0o700)
            scene = Scene(home, backend_of(scheme), providers, role)
            stack.callback(scene.close)
            return scene

        yield scene_of


@pytest.fixture(scope="module")
def outcomes() -> dict[Cell, Outcome]:
    """The outcomes of the trials so far."""
    return {}


@pytest.fixture
def outcome(
    cell: Cell,
    scene_of: SceneOf,
    outcomes: dict[Cell, Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> Outcome:
    """The outcome of the cell's trial, in which nobody waits for a throttling provider."""
    monkeypatch.setattr(bounded_provider, "THROTTLED_PAUSES", ())
    if cell not in outcomes:
        outcomes[cell] = outcome_of(cell, scene_of(cell.scheme, cell.role))
    return outcomes[cell]
