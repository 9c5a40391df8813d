"""Files that hold keys or credentials are read only when nobody else can."""

import os
from pathlib import Path

import pytest

from backends.errors import KeyProviderConfigError
from backends.private_file import read_private_file

SETTING = "STRONGROOM_KEYS (entry 1)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "credential"
    path.write_bytes(b"content\n")
    path.chmod(0o600)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(KeyProviderConfigError) as caught:
        read_private_file(path, SETTING)
    return str(caught.value)


def test_the_content_comes_as_it_is(path: Path) -> None:
    assert read_private_file(path, SETTING) == b"content\n"


def test_a_file_that_cannot_be_written_will_do(path: Path) -> None:
    path.chmod(0o400)
    assert read_private_file(path, SETTING) == b"content\n"


def test_a_link_to_a_private_file_will_do(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert read_private_file(link, SETTING) == b"content\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert "mode 0600" in refusal(path)


def test_a_file_that_others_may_read_is_read_where_that_is_allowed(path: Path) -> None:
    path.chmod(0o644)
    assert read_private_file(path, SETTING, others_may_read=True) == b"content\n"


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(path: Path) -> None:
    pipe = path.with_name("pipe")
    os.mkfifo(pipe, 0o600)
    assert "regular file" in refusal(pipe)


def test_the_largest_file_is_64_kib(path: Path) -> None:
    path.write_bytes(bytes(64 * 1024))
    assert len(read_private_file(path, SETTING)) == 64 * 1024


def test_a_larger_file_is_refused(path: Path) -> None:
    path.write_bytes(bytes(64 * 1024 + 1))
    assert "64 KiB" in refusal(path)


@pytest.mark.parametrize("name", ["missing", "credential/below", "nul\0"])
def test_a_path_without_a_file_is_refused(path: Path, name: str) -> None:
    assert "cannot be read" in refusal(path.with_name("x").parent / name)


def test_a_refusal_names_the_setting_and_not_the_path(path: Path) -> None:
    path.chmod(0o644)
    message = refusal(path)
    assert message.startswith(SETTING)
    assert "credential" not in message
