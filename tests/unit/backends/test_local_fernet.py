"""The key file of ``local-fernet``: what it may hold, and which key does what."""

import traceback
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from backends import local_fernet
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderConfigError, UnknownKey
from backends.local_fernet import LocalFernet, from_spec
from backends.provider_uri import ProviderSpec
from config.files import Files

CONTEXT = KeyContext("dep_1", "acc_1", "dk_1")
OLD, NEW = b"A" * 43 + b"=", b"B" * 43 + b"="


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def provider(path: Path, content: bytes) -> LocalFernet:
    path.write_bytes(content)
    path.chmod(0o600)
    return from_spec(spec(path))


def spec(path: Path) -> ProviderSpec:
    return ProviderSpec("STRONGROOM_KEYS (entry 1)", "local-fernet", str(path), {}, 1, Files())


def test_the_first_key_of_the_file_wraps(path: Path) -> None:
    both, new = provider(path, NEW + b"\n" + OLD + b"\n"), provider(path, NEW)
    assert both.status().key_ref == new.status().key_ref


def test_every_key_of_the_file_unwraps(path: Path) -> None:
    key = DataKey.random()
    wrapped = provider(path, OLD).wrap(key, CONTEXT)
    assert provider(path, NEW + b"\n" + OLD).unwrap(wrapped, CONTEXT) == key


def test_a_key_that_fernet_makes_will_do(path: Path) -> None:
    assert provider(path, Fernet.generate_key()).status().healthy


@pytest.mark.parametrize("content", [OLD, OLD + b"\n", OLD + b"\r\n", b"\n" + OLD + b"\n\n"])
def test_line_ends_do_not_matter(path: Path, content: bytes) -> None:
    assert provider(path, content).status() == provider(path, OLD).status()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", OLD[:-1], OLD + b"=", OLD + b"x", b"# my key\n" + OLD, OLD[:-2] + b"+=", b"\0"],
)
def test_what_is_no_key_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(KeyProviderConfigError, match=r"^STRONGROOM_KEYS \(entry 1\): .*Fernet key"):
        provider(path, content)


def test_the_error_of_a_bad_line_does_not_show_the_good_ones(path: Path) -> None:
    with pytest.raises(KeyProviderConfigError) as caught:
        provider(path, OLD + b"\n# my key\n")
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame.locals for frame in report.stack if frame.filename != __file__]
    assert "AAAA" not in str(below)


def test_the_reference_does_not_tell_the_key(path: Path) -> None:
    key_ref = str(provider(path, OLD).status().key_ref)
    assert key_ref.startswith("local-fernet:")
    assert "AAAA" not in key_ref
    assert bytes(4).hex() not in key_ref


def test_a_provider_does_not_print_its_keys(path: Path) -> None:
    loaded = provider(path, OLD)
    assert repr(loaded).endswith(">")
    assert "AAAA" not in f"{loaded} {loaded!r}"


def test_a_key_that_leaves_the_file_is_dropped_by_a_running_process(path: Path) -> None:
    running = provider(path, NEW + b"\n" + OLD)
    wrapped = provider_of(path, OLD).wrap(DataKey.random(), CONTEXT)
    replace(path, NEW)
    with pytest.raises(UnknownKey):
        running.unwrap(wrapped, CONTEXT)


def test_without_being_used_a_provider_that_is_refreshed_holds_no_key_that_left(
    path: Path,
) -> None:
    running = provider(path, OLD)
    path.unlink()
    running.refresh()
    assert running._masters == {}


def test_a_key_that_is_new_in_the_file_waits_for_the_next_start(path: Path) -> None:
    running, later = provider(path, OLD), provider_of(path, NEW)
    wrapped = later.wrap(DataKey.random(), CONTEXT)
    replace(path, NEW + b"\n" + OLD)
    with pytest.raises(UnknownKey):
        running.unwrap(wrapped, CONTEXT)
    assert running.status().key_ref == provider_of(path, OLD).status().key_ref


def test_a_file_that_is_gone_is_named_by_its_setting(path: Path) -> None:
    running = provider(path, OLD)
    path.unlink()
    with pytest.raises(UnknownKey, match=r"^STRONGROOM_KEYS \(entry 1\): the file cannot be read"):
        running.wrap(DataKey.random(), CONTEXT)
    assert not running.status().healthy


@pytest.mark.parametrize("spoilt", [b"", OLD + b"\n# my key\n", OLD[:20]])
def test_a_key_returns_with_its_file(path: Path, spoilt: bytes) -> None:
    running = provider(path, OLD)
    wrapped = running.wrap(DataKey.random(), CONTEXT)
    replace(path, spoilt)
    with pytest.raises(UnknownKey):
        running.unwrap(wrapped, CONTEXT)
    replace(path, OLD)
    assert running.unwrap(wrapped, CONTEXT)


def test_a_file_that_others_may_read_by_now_is_used_no_more(path: Path) -> None:
    running = provider(path, OLD)
    path.chmod(0o644)
    with pytest.raises(UnknownKey, match="0600"):
        running.wrap(DataKey.random(), CONTEXT)


def test_a_file_that_did_not_change_is_not_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = provider(path, OLD)
    monkeypatch.setattr(local_fernet, "read_file", lambda *_: pytest.fail("read again"))
    running.wrap(DataKey.random(), CONTEXT)


def provider_of(path: Path, content: bytes) -> LocalFernet:
    """A provider on a file of its own."""
    return provider(path.with_name("other"), content)


def replace(path: Path, content: bytes) -> None:
    """Put another file in the place of this one, as an operator does."""
    new = path.with_name("new")
    new.write_bytes(content)
    new.chmod(0o600)
    new.replace(path)
