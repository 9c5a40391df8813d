"""The service unit: the list of key providers is what a reload can read again."""

import re
from pathlib import Path

from config.settings import NAMES

_UNIT = (Path(__file__).parents[3] / "config" / "strongroom.service").read_text()
_GIVEN = re.findall(r"^Environment=([A-Z_]+)=", _UNIT, re.MULTILINE)


def test_the_list_of_key_providers_is_read_from_a_file() -> None:
    assert "STRONGROOM_KEYS_FILE" in _GIVEN
    assert "STRONGROOM_KEYS" not in _GIVEN


def test_every_setting_of_the_unit_is_one() -> None:
    assert {name.removesuffix("_FILE") for name in _GIVEN} <= set(NAMES)
