"""The check of docstrings."""

from pathlib import Path

import pytest

from tests.checks.prose import violations


@pytest.mark.parametrize("word", ["What", "Whether", "How", "Who", "Where", "Which", "Why"])
def test_a_docstring_that_opens_with_a_question_word_is_reported(tmp_path: Path, word: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(f'"""A module."""\n\n\ndef function():\n    """{word} it is."""\n')

    assert list(violations(module, tmp_path)) == [f"module.py:5: {word} it is."]


def test_every_kind_of_docstring_is_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""What a module is."""\nclass Name:\n'
        '    """\n    What a class is.\n\n    More.\n    """\n'
        '    field = 1\n    """What a field is."""\n'
    )

    assert sorted(violations(module, tmp_path)) == [
        "module.py:1: What a module is.",
        "module.py:3: What a class is.",
        "module.py:9: What a field is.",
    ]


@pytest.mark.parametrize(
    "text", ["Whatever comes.", "Hosts.", "what follows a colon.", "Return it."]
)
def test_other_docstrings_pass(tmp_path: Path, text: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(f'"""{text}\n\nWhat follows is no opening.\n"""\nname = "What"\n')

    assert not list(violations(module, tmp_path))


def test_a_second_word_is_reported_with_the_one_of_the_glossary(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""A module."""\n\nlent = 1  # not silent, and no leftover\n')

    assert list(violations(module, tmp_path)) == ["module.py:3: lent: say used, opened"]
