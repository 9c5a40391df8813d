"""Settings: what is read, and how everything that is wrong is told."""

import os
from pathlib import Path

import pytest

from config import SettingsError, load
from config.settings import NAMES

TABLE = Path(__file__).parents[3] / "docs" / "settings.md"
CANARY = "canary-5f1d"


def faults(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(environ)
    return refused.value.faults


def documented() -> dict[str, str]:
    """The default of every setting in the table."""
    rows = [line.split("|") for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[2].strip(" `") for row in rows}


def test_the_documentation_lists_every_setting_and_no_other() -> None:
    assert tuple(documented()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_default_is_what_holds_when_nothing_is_set(name: str) -> None:
    assert load({name: documented()[name]}) == load({})


def test_the_home_moves_the_database_and_the_key_file() -> None:
    settings = load({"STRONGROOM_HOME": "/srv/strongroom"})
    assert settings.database_url == "sqlite:////srv/strongroom/strongroom.db"
    assert settings.keys == ("local-fernet:/srv/strongroom/keys",)


def test_the_keyring_keeps_its_order() -> None:
    settings = load({"STRONGROOM_KEYS": " aws-kms:arn \n local-fernet:/k\t"})
    assert settings.keys == ("aws-kms:arn", "local-fernet:/k")


def test_a_quarter_of_the_threads_may_wait_on_a_provider() -> None:
    assert load({"STRONGROOM_THREADS": "32"}).provider_concurrency == 8
    assert load({"STRONGROOM_THREADS": "1"}).provider_concurrency == 1


@pytest.mark.parametrize(
    "text", ["", "0", "65", "-1", "+1", " 1", "1_0", "1.0", "٣", "1\n", "9" * 99]
)
def test_a_number_is_refused_unless_it_is_written_in_plain_digits_within_its_bounds(
    text: str,
) -> None:
    assert faults({"STRONGROOM_WORKERS": text}) == (
        "STRONGROOM_WORKERS: must be a whole number from 1 to 64.",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STRONGROOM_NAME_POLICY", "Environment"),
        ("STRONGROOM_LOG_LEVEL", "debug"),
        ("STRONGROOM_LOG_FORMAT", "xml"),
        ("STRONGROOM_LOG_FORMAT", ""),
        ("STRONGROOM_HOME", ""),
        ("STRONGROOM_HOME", "what?"),
        ("STRONGROOM_DATABASE_URL", ""),
    ],
)
def test_a_text_that_means_nothing_is_refused(name: str, text: str) -> None:
    (fault,) = faults({name: text})
    assert fault.startswith(f"{name}: must ")


def test_a_mistyped_name_is_refused_with_the_name_that_was_meant() -> None:
    assert faults({"STRONGROOM_KEY": CANARY}) == (
        "STRONGROOM_KEY: there is no such setting. Did you mean STRONGROOM_KEYS?",
    )


SERVICE_LINKS = {
    "STRONGROOM_SERVICE_HOST": "10.0.0.1",
    "STRONGROOM_SERVICE_PORT": "443",
    "STRONGROOM_SERVICE_PORT_HTTPS": "443",
    "STRONGROOM_PORT": "tcp://10.0.0.1:443",
    "STRONGROOM_PORT_443_TCP": "tcp://10.0.0.1:443",
    "STRONGROOM_PORT_443_TCP_PROTO": "tcp",
    "STRONGROOM_PORT_443_TCP_PORT": "443",
    "STRONGROOM_PORT_443_TCP_ADDR": "10.0.0.1",
    "STRONGROOM_KEYS_SERVICE_HOST": "10.0.0.2",
}


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_mistake() -> None:
    assert load(SERVICE_LINKS) == load({})


def test_a_port_under_our_prefix_is_a_mistake() -> None:
    assert faults({"STRONGROOM_PORT": "8080"}) == ("STRONGROOM_PORT: there is no such setting.",)


def test_names_of_others_are_left_alone() -> None:
    assert load({"RUNLOOP_API_KEY": CANARY, "PORTS": "x"}) == load({})


def test_all_faults_are_told_at_once_and_no_value_is() -> None:
    wrong = {
        "PORT": CANARY,
        "STRONGROOM_LOG_LEVEL": CANARY,
        "STRONGROOM_NAMES": CANARY,
        "STRONGROOM_KEYS_FILE": f"/nowhere/{CANARY}",
    }
    told = faults(wrong)
    assert sorted(fault.split(":")[0] for fault in told) == sorted(wrong)
    assert CANARY not in "\n".join(told)


def test_a_fault_keeps_nothing_of_what_was_given() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"PORT": CANARY})
    assert refused.value.__context__ is None


def test_settings_do_not_show_what_may_hold_a_password() -> None:
    environ = {
        "STRONGROOM_DATABASE_URL": CANARY,
        "STRONGROOM_KEYS": CANARY,
        "STRONGROOM_ESCROW_KEYS": CANARY,
    }
    assert CANARY not in repr(load(environ))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_can_come_from_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text(documented()[name] + "\n")
    assert load({f"{name}_FILE": str(file)}) == load({})


def test_only_the_newline_at_the_end_of_a_file_is_not_part_of_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text(" a b \n\n")
    assert load({"STRONGROOM_HOME_FILE": str(file)}).home == Path(" a b \n")


def test_a_file_of_windows_is_read_as_meant(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_bytes(b"\xef\xbb\xbf8443\r\n")
    assert load({"PORT_FILE": str(file)}).port == 8443


def test_a_carriage_return_at_the_end_of_a_setting_does_not_count() -> None:
    assert load({"PORT": "8443\r"}).port == 8443


def test_a_setting_given_directly_and_by_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("8080")
    assert faults({"PORT": "8080", "PORT_FILE": str(file)}) == (
        "PORT: is given twice, as PORT and as PORT_FILE.",
    )


def test_a_file_that_cannot_be_a_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b" " * (64 * 1024 + 1))
    (tmp_path / "latin").write_bytes(b"\xe9")
    (tmp_path / "nul").write_bytes(b"a\0b")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "large", "latin", "nul", "directory", "pipe"):
        (fault,) = faults({"STRONGROOM_KEYS_FILE": str(tmp_path / name)})
        assert fault.startswith("STRONGROOM_KEYS_FILE: ")


@pytest.mark.parametrize(
    ("environ", "wants"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_are_switched_off_by_the_variables_that_all_programs_know(
    environ: dict[str, str], wants: bool
) -> None:
    assert load(environ).wants_colour is wants
