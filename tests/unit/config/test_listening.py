"""Addresses that ``STRONGROOM_BIND`` may list."""

from pathlib import Path

import pytest

from app.cli.client_env import base_url
from config import SettingsError, load
from config.settings import examine

ELSEWHERE = ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[2001:db8::1]:80", "[::ffff:10.0.0.1]:80"]


def listed(text: str, **others: str) -> list[str]:
    return [str(each) for each in load({"STRONGROOM_BIND": text} | others).bind]


def fault(text: str, **others: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load({"STRONGROOM_BIND": text} | others)
    (only,) = refused.value.faults
    return only


def test_the_default_is_the_port_on_loopback() -> None:
    assert [str(each) for each in load({"PORT": "9123"}).bind] == ["127.0.0.1:9123"]


def test_sockets_and_loopback_addresses_are_listed_side_by_side() -> None:
    text = "unix:/run/strongroom/server.sock 127.0.0.1:8080\n[::1]:8080"
    assert listed(text) == text.split()


def test_addresses_are_canonical() -> None:
    assert listed("[0:0:0:0:0:0:0:1]:80") == ["[::1]:80"]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_that_others_reach_needs_tls_in_front(address: str) -> None:
    assert "STRONGROOM_TLS_IN_FRONT=1" in fault(f"127.0.0.1:80 {address}")
    assert "STRONGROOM_TLS_IN_FRONT=1" in fault(address, STRONGROOM_TLS_IN_FRONT="0")
    assert len(listed(address, STRONGROOM_TLS_IN_FRONT="1")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        ":8080",
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:+80",
        "127.0.0.1:٣",
        "127.0.0.01:80",
        "::1:8080",
        "[::1]",
        "[fe80::1%eth0]:80",
        "http://127.0.0.1:80",
        "unix:",
        "unix:server.sock",
        "unix:/run/",
        "unix:/" + "x" * 100,
        "fd://3",
        "127.0.0.1:80 127.0.0.1:80",
        "[::1]:80 [0::1]:80",
        "127.0.0.1:80,127.0.0.1:81",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert fault(text).startswith("STRONGROOM_BIND: must ")


@pytest.mark.parametrize("text", ["canary:80", "unix:canary", "127.0.0.1:80canary"])
def test_a_refusal_repeats_nothing_of_the_address(text: str) -> None:
    assert "canary" not in fault(text)


def test_a_switch_is_0_or_1() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"STRONGROOM_TLS_IN_FRONT": "yes"})
    assert refused.value.faults == ("STRONGROOM_TLS_IN_FRONT: must be 0 or 1.",)


def test_a_switch_that_is_refused_does_not_admit_an_unsafe_address() -> None:
    examined = examine({"STRONGROOM_BIND": "0.0.0.0:80", "STRONGROOM_TLS_IN_FRONT": "yes"})
    assert [str(each) for each in examined.settings.bind] == ["127.0.0.1:8080"]
    assert examined.wrong == {"STRONGROOM_BIND", "STRONGROOM_TLS_IN_FRONT"}


def test_an_unsafe_address_is_told_with_all_other_faults(tmp_path: Path) -> None:
    wrong = {"STRONGROOM_BIND": "0.0.0.0:80", "PORT": "0", "STRONGROOM_LOG_LEVEL": "x"}
    with pytest.raises(SettingsError) as refused:
        load(wrong)
    assert {each.split(":")[0] for each in refused.value.faults} == set(wrong)


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:80", "http://127.0.0.1:80"),
        ("[::1]:80", "http://[::1]:80"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://[::1]:80"),
        ("unix:/run/x 10.0.0.1:80 127.0.0.2:81", "http://127.0.0.2:81"),
        ("unix:/run/x 10.0.0.1:80", "http://10.0.0.1:80"),
        ("unix:/run/x", "https://localhost"),
    ],
)
def test_clients_of_this_machine_are_told_an_address_that_they_reach(bind: str, url: str) -> None:
    settings = load({"STRONGROOM_BIND": bind, "STRONGROOM_TLS_IN_FRONT": "1"})
    assert base_url(settings.bind) == url
