"""Files that settings name are read only when nobody else could have touched them."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import config.files
from config.files import Files, UnsafeFile
from tests.support.users import NOBODY, acting_as

THEIR_GROUP = 4711
ANOTHER_GROUP = 4712
CONTENT = b"content\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "credential"
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A directory of a tmpfs."""
    if not Path("/dev/shm").is_dir():  # noqa: S108 - files of tests only
        pytest.skip("this machine has no /dev/shm")
    place = Path("/dev/shm") / f"strongroom-test-{os.getpid()}"  # noqa: S108
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    yield place
    for each in place.iterdir():
        each.unlink()
    place.rmdir()


@pytest.fixture
def passable() -> Iterator[Path]:
    """A directory that every user may enter, and only its owner may change."""
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


def mounted(directory: Path, mode: int, *, uid: int = 0, gid: int = 0) -> Path:
    """A file that a platform put there."""
    path = directory / "mounted"
    path.write_bytes(CONTENT)
    if os.geteuid() != 0:
        pytest.skip("only root can make files of root's and of other users")
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def refusal(path: Path, files: Files | None = None) -> str:
    with pytest.raises(UnsafeFile) as caught:
        (files or Files()).read_private(path)
    return str(caught.value)


def distrust(path: Path) -> str:
    with pytest.raises(UnsafeFile) as caught:
        Files().read_trusted(path)
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_of_ours_is_read_as_it_is(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert Files().read_private(path) == CONTENT


def test_a_link_to_a_private_file_will_do(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert Files().read_private(link) == CONTENT


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o700])
def test_a_key_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert refusal(path) == "must be of mode 0600"


@pytest.mark.parametrize("mode", [0o640, 0o440, 0o444])
def test_a_key_of_ours_that_others_may_read_is_refused(passable: Path, mode: int) -> None:
    path = mounted(passable, mode, uid=NOBODY, gid=NOBODY)
    with acting_as(NOBODY, [THEIR_GROUP]):
        assert refusal(path) == "must be of mode 0600"


@pytest.mark.parametrize("mode", [0o640, 0o440])
def test_a_key_of_root_s_that_a_group_of_ours_may_read_is_read(passable: Path, mode: int) -> None:
    path = mounted(passable, mode, gid=THEIR_GROUP)
    with acting_as(NOBODY, [THEIR_GROUP]):
        assert Files().read_private(path) == CONTENT


@pytest.mark.parametrize("mode", [0o660, 0o460, 0o450, 0o444, 0o644])
def test_a_key_of_root_s_that_more_than_our_group_may_read_is_refused(
    passable: Path, mode: int
) -> None:
    path = mounted(passable, mode, gid=THEIR_GROUP)
    with acting_as(NOBODY, [THEIR_GROUP]):
        assert refusal(path).startswith("must be of mode 0600")


def test_a_key_of_another_user_is_refused(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can read the private files of another user")
    os.chown(path, NOBODY, NOBODY)
    assert refusal(path) == "must belong to root or to the user that Strongroom runs as"


@pytest.mark.parametrize("mode", [0o440, 0o444])
def test_what_systemd_keeps_for_us_is_read(passable: Path, mode: int) -> None:
    """An ACL that lets the service's user read it shows as 0440 of root's group."""
    path = mounted(passable, mode, gid=ANOTHER_GROUP)
    files = Files.of({"CREDENTIALS_DIRECTORY": str(passable)})
    with acting_as(NOBODY, [ANOTHER_GROUP] if mode == 0o440 else []):
        assert files.read_private(path) == CONTENT


def test_a_link_out_of_the_directory_of_credentials_is_none_of_them(
    passable: Path,
) -> None:
    path = mounted(passable, 0o444)
    credentials = passable / "credentials"
    credentials.mkdir(mode=0o755)
    (credentials / "link").symlink_to(path)
    files = Files(credentials)
    with acting_as(NOBODY):
        assert refusal(credentials / "link", files).startswith("must be of mode 0600")


@pytest.mark.parametrize("mode", [0o460, 0o446])
def test_a_credential_that_others_may_write_is_refused(passable: Path, mode: int) -> None:
    path = mounted(passable, mode)
    assert refusal(path, Files(passable)).startswith("must be of mode 0600")


@pytest.mark.parametrize("given", ["", "relative/path"])
def test_a_directory_of_credentials_that_is_none_is_not_believed(given: str) -> None:
    assert Files.of({"CREDENTIALS_DIRECTORY": given}).credentials_directory is None


def test_a_docker_secret_in_memory_is_read(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.files, "_RUN_SECRETS", in_memory)
    path = mounted(in_memory, 0o444)
    with acting_as(NOBODY):
        assert Files().read_private(path) == CONTENT


def test_a_docker_secret_on_a_disk_is_refused_with_docker_s_setting(
    passable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.files, "_RUN_SECRETS", passable)
    path = mounted(passable, 0o444)
    with acting_as(NOBODY):
        told = refusal(path)
    assert told == "must be of mode 0600 (in Docker: mode: 0400 and uid: of the secret)"


def test_what_is_in_memory_elsewhere_is_no_docker_secret(in_memory: Path) -> None:
    path = mounted(in_memory, 0o444)
    with acting_as(NOBODY):
        assert refusal(path) == "must be of mode 0600"


def test_a_kubernetes_secret_for_all_is_refused_with_the_setting_of_the_volume(
    passable: Path,
) -> None:
    version = passable / "..2026_11_26_00_00_00.000000001"
    version.mkdir(mode=0o755)
    mounted(version, 0o644, gid=THEIR_GROUP)
    (passable / "..data").symlink_to(version.name)
    (passable / "key").symlink_to("..data/mounted")
    with acting_as(NOBODY, [THEIR_GROUP]):
        told = refusal(passable / "key")
    assert told.startswith("must be of mode 0600 (in Kubernetes: defaultMode: 0440 ")


def test_a_kubernetes_secret_of_the_pod_s_group_is_read(passable: Path) -> None:
    version = passable / "..2026_11_26_00_00_00.000000001"
    version.mkdir(mode=0o755)
    mounted(version, 0o440, gid=THEIR_GROUP)
    (passable / "..data").symlink_to(version.name)
    (passable / "key").symlink_to("..data/mounted")
    passable.chmod(0o1777)  # as the mount point of a secret is
    with acting_as(NOBODY, [THEIR_GROUP]):
        assert Files().read_private(passable / "key") == CONTENT


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o444, 0o755])
def test_a_public_file_that_only_its_owner_may_write_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert Files().read_trusted(path) == CONTENT


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620])
def test_a_public_file_that_others_may_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert distrust(path).startswith("must not be writable by its group or others")


def test_a_public_file_of_root_s_is_read(passable: Path) -> None:
    path = mounted(passable, 0o644)
    with acting_as(NOBODY):
        assert Files().read_trusted(path) == CONTENT


def test_a_public_file_of_another_user_is_refused(passable: Path) -> None:
    path = mounted(passable, 0o644, uid=THEIR_GROUP, gid=THEIR_GROUP)
    with acting_as(NOBODY):
        told = distrust(path)
    assert told == "must belong to root or to the user that Strongroom runs as"


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_file_that_others_could_replace_is_refused(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    assert refusal(path).startswith("is in a directory that must not be writable")
    assert distrust(path).startswith("is in a directory that must not be writable")


def test_a_file_that_a_group_could_replace_is_refused(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path.parent, 0, ANOTHER_GROUP)
    path.parent.chmod(0o775)
    assert refusal(path).startswith("is in a directory that must not be writable")


def test_a_link_that_others_could_replace_is_refused(path: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "link").symlink_to(path)
    links.chmod(0o777)
    assert refusal(links / "link").startswith("is in a directory that must not be writable")


def test_a_file_in_the_directory_of_another_user_is_refused(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(path.parent, NOBODY, NOBODY)
    assert refusal(path).startswith("is in a directory that must belong to root or")


def test_a_sticky_directory_keeps_what_is_ours(path: Path) -> None:
    path.parent.chmod(0o1777)
    assert Files().read_private(path) == CONTENT


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(path: Path) -> None:
    pipe = path.with_name("pipe")
    os.mkfifo(pipe, 0o600)
    assert refusal(pipe) == "must be a regular file"


def test_the_largest_file_is_64_kib(path: Path) -> None:
    path.write_bytes(bytes(64 * 1024))
    assert len(Files().read_private(path)) == 64 * 1024


def test_a_larger_file_is_refused(path: Path) -> None:
    path.write_bytes(bytes(64 * 1024 + 1))
    assert refusal(path) == "is larger than 64 KiB"


def test_a_bundle_of_certificates_may_be_larger(path: Path) -> None:
    path.write_bytes(bytes(64 * 1024 + 1))
    assert len(Files().read_bundle(path)) == 64 * 1024 + 1


@pytest.mark.parametrize("name", ["missing", "credential/below", "nul\0"])
def test_a_path_without_a_file_is_refused(path: Path, name: str) -> None:
    assert refusal(path.parent / name) == "cannot be read"


def test_root_in_a_container_reads_what_the_pod_s_group_may_read(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can have a file of root's and another group")
    os.chown(path, 0, THEIR_GROUP)
    path.chmod(0o440)
    before = os.getgroups()
    os.setgroups([*before, THEIR_GROUP])
    try:
        assert Files().read_private(path) == CONTENT
    finally:
        os.setgroups(before)
