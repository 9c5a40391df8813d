"""The key file that the first listed key provider names."""

from pathlib import Path

from backends.keyring.keyring import KEYS, name_entry
from backends.local_fernet import LocalFernet
from backends.provider_uri import parse_spec
from config.settings import Settings

FIRST_KEY = name_entry(KEYS, 0)


def first_key_file(settings: Settings) -> Path | None:
    """Return the key file of the first provider, if it has one."""
    if not settings.keys:
        return None
    first = parse_spec(
        settings.keys[0],
        setting=FIRST_KEY,
        concurrency=1,
        files=settings.files,
    )
    return Path(first.location) if first.scheme == LocalFernet.scheme else None
