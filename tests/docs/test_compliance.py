"""``docs/compliance.md``: each question is answered by the commands that the page shows."""

from pathlib import Path

from tests.docs.console import assert_shown, commands_of
from tests.support.strongroom import running

_PAGE = Path(__file__).parents[2] / "docs" / "compliance.md"


def test_every_question_is_answered_as_the_page_shows(tmp_path: Path) -> None:
    session = commands_of(_PAGE)
    assert session
    with running(tmp_path) as server:
        for typed in session:
            assert_shown(typed, server, tmp_path)
