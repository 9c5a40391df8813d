"""This code and the one from before its newest migration, for upgrades of one node after another.

With a new migration, name the commit before it here, and say in its revision which code survives.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from app.repository.sql.schema import NEWEST, SURVIVED_BY
from tests.support.other_code import code_at_hand, code_of_commit, is_shallow

BEFORE_NEWEST = "8f960e5fa8c26f44f941df92c394a43778e0c6d7"
"""The commit before the newest migration."""

_LATER = f"""
from alembic import op

revision, down_revision = "9999{SURVIVED_BY}{NEWEST}", "{NEWEST}"

def upgrade():
    op.execute("SELECT 1")  # its name alone says which code survives it
"""


@dataclass(frozen=True)
class Versions:
    """Directories with code.

    Attributes:
        old: From before the newest migration.
        new: With it.
        later: With one more, which only ``new`` survives.
    """

    old: Path
    new: Path
    later: Path


def two_versions(directory: Path) -> Versions:
    """Make the directories below one; without the older commits, skip the test."""
    if is_shallow():
        pytest.skip("the history of this checkout is cut off")
    found = Versions(directory / "old", directory / "new", directory / "later")
    code_of_commit(BEFORE_NEWEST, found.old)
    for each in (found.new, found.later):
        code_at_hand(each)
    versions = found.later / "app/repository/migrations/versions"
    (versions / "9999_later.py").write_text(_LATER)
    schema = found.later / "app/repository/sql/schema.py"
    text = schema.read_text()
    assert f'NEWEST = "{NEWEST}"' in text
    schema.write_text(text.replace(NEWEST, f"9999{SURVIVED_BY}{NEWEST}"))
    return found
