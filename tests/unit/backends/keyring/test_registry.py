"""The registry builds what the settings list, and loads no vendor's SDK before."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from backends.errors import KeyProviderConfigError
from backends.keyring import registry
from backends.keyring.registry import create_keyring, create_provider
from backends.provider_uri import ProviderSpec
from backends.recovery.files import public_key_text
from backends.recovery.keys import RecoveryPrivateKey
from config.files import Files


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "keys"
    path.write_bytes(Fernet.generate_key())
    path.chmod(0o600)
    return f"local-fernet:{path}"


@pytest.fixture
def recovery_file(tmp_path: Path) -> str:
    path = tmp_path / "recovery.pub"
    path.write_text(public_key_text(RecoveryPrivateKey.generate().public_key))
    return f"recovery:{path}"


def faults(keys: list[str], escrow_keys: list[str]) -> str:
    with pytest.raises(KeyProviderConfigError) as caught:
        create_keyring(keys, escrow_keys, concurrency=4, files=Files())
    return str(caught.value)


def test_a_keyring_is_built_in_the_settings_order(key_file: str, recovery_file: str) -> None:
    keyring = create_keyring([key_file], [recovery_file], concurrency=4, files=Files())
    refs = [str(status.key_ref).partition(":")[0] for status in keyring.statuses()]
    assert refs == ["local-fernet", "recovery"]


def test_an_unknown_scheme_is_refused_with_the_known_ones(key_file: str) -> None:
    message = faults([key_file, "hunter2:x"], [])
    assert message.startswith("STRONGROOM_KEYS (entry 2): ")
    assert all(scheme in message for scheme in registry.MODULES)
    assert "hunter2" not in message


def test_all_faults_come_in_one_message(tmp_path: Path) -> None:
    message = faults([f"local-fernet:{tmp_path}/1", "x", "y:"], [f"recovery:{tmp_path}/2"])
    entries = [f"STRONGROOM_KEYS (entry {n})" for n in (1, 2, 3)]
    assert all(each in message for each in [*entries, "STRONGROOM_ESCROW_KEYS (entry 1)"])


def test_a_keyring_needs_a_provider() -> None:
    assert "STRONGROOM_KEYS: must list at least one" in faults([], [])


def test_what_cannot_unwrap_belongs_into_escrow(key_file: str, recovery_file: str) -> None:
    message = faults([key_file, recovery_file], [])
    assert message == (
        "STRONGROOM_KEYS (entry 2): recovery cannot unwrap; list it in STRONGROOM_ESCROW_KEYS."
    )


def test_a_missing_sdk_is_named_by_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "aws-kms", "backends.no_such_module")
    with pytest.raises(KeyProviderConfigError, match="packages for aws-kms are not installed"):
        create_provider(ProviderSpec("STRONGROOM_KEYS (entry 1)", "aws-kms", "x", {}, 4, Files()))


def test_a_local_keyring_loads_no_vendors_sdk(key_file: str) -> None:
    script = (
        "import sys; from backends.keyring.registry import create_keyring\n"
        "from config.files import Files\n"
        f"create_keyring([{key_file!r}], [], concurrency=1, files=Files()).close()\n"
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore', 'hvac', 'requests')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
