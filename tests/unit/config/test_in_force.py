"""A faulty change of the settings leaves those in force that were."""

import logging

import pytest

from config import SettingsError
from config.in_force import InForce

GOOD = {"STRONGROOM_THREADS": "4"}
FAULTY = {"STRONGROOM_THREADS": "many"}


def test_a_change_is_in_force() -> None:
    in_force = InForce()
    in_force.load(GOOD)
    assert in_force.load({"STRONGROOM_THREADS": "5"}).threads == 5


def test_a_faulty_change_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    in_force = InForce()
    before = in_force.load(GOOD)
    with caplog.at_level(logging.ERROR):
        assert in_force.load(FAULTY) == before
    (record,) = caplog.records
    assert vars(record)["detail"] == "STRONGROOM_THREADS: must be a whole number from 1 to 256."


def test_settings_that_are_faulty_from_the_start_are_refused() -> None:
    with pytest.raises(SettingsError):
        InForce().load(FAULTY)
