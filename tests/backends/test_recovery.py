"""The file that ``recovery`` is listed with."""

import traceback
from pathlib import Path

import pytest

from backends.errors import KeyProviderConfigError
from backends.recovery import from_spec
from backends.recovery_files import PrivateKeyFile
from backends.recovery_keys import RecoveryPrivateKey
from backends.spec import ProviderSpec
from config.files import Files


def test_the_private_half_in_the_place_of_the_public_one_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "recovery.public"
    path.write_text(PrivateKeyFile(RecoveryPrivateKey(bytes(96)), None).to_text())
    with pytest.raises(KeyProviderConfigError) as caught:
        from_spec(
            ProviderSpec("STRONGROOM_ESCROW_KEYS (entry 1)", "recovery", str(path), {}, 1, Files())
        )
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "AAAA" not in "".join(report.format())
    assert caught.value.__context__ is None
