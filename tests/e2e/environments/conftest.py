"""A place that one user owns, with nothing in it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.environments.place import NO_NAME, Place, require_namespaces


@pytest.fixture
def roots() -> Iterator[Place]:
    """A place of root's."""
    require_namespaces()
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Place(Path(directory), 0)


@pytest.fixture
def nobodys() -> Iterator[Place]:
    """A place of a user without a name."""
    require_namespaces()
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Place(Path(directory), NO_NAME)
