"""The check of the sizes of files and functions."""

from pathlib import Path

from tests.checks.sizes import MAX_BODY_LINES, MAX_FILE_LINES, violations


def test_a_file_over_the_limit_is_reported(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("\n" * (MAX_FILE_LINES + 1))

    assert list(violations(module, tmp_path)) == ["module.py:1: 401 lines; at most 400"]


def test_a_file_at_the_limit_passes(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("\n" * MAX_FILE_LINES)

    assert not list(violations(module, tmp_path))


def test_a_body_over_the_limit_is_reported(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"class Name:\n    def long(self):\n{_statements(MAX_BODY_LINES + 1)}")

    assert list(violations(module, tmp_path)) == ["module.py:2: long: 41 lines; at most 40"]


def test_signature_and_docstring_are_not_counted(tmp_path: Path) -> None:
    signature = "@decorator\ndef at_limit(\n    argument,\n):\n"
    docstring = '        """One.\n\n        Two.\n        """\n'
    module = tmp_path / "module.py"
    module.write_text(signature + docstring + _statements(MAX_BODY_LINES))

    assert not list(violations(module, tmp_path))


def _statements(count: int) -> str:
    return "        pass\n" * count
