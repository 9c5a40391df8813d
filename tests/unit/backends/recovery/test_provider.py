"""The file that ``recovery`` is listed with."""

import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from backends.errors import KeyProviderConfigError
from backends.provider_uri import ProviderSpec
from backends.recovery.files import PrivateKeyFile, public_key_text
from backends.recovery.keys import RecoveryPrivateKey
from backends.recovery.provider import from_spec
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


def test_a_build_without_the_primitives_is_told_from_a_wrong_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "public"
    path.write_text(public_key_text(RecoveryPrivateKey(bytes(96)).public_key))

    def refuse(_: bytes) -> None:
        raise UnsupportedAlgorithm("not in this mode")

    refusing = SimpleNamespace(from_public_bytes=refuse)
    monkeypatch.setattr("backends.recovery.keys.MLKEM768PublicKey", refusing)
    spec = ProviderSpec("STRONGROOM_ESCROW_KEYS (entry 1)", "recovery", str(path), {}, 1, Files())
    with pytest.raises(KeyProviderConfigError, match=r"entry 1\): this build of OpenSSL has no ML"):
        from_spec(spec)
