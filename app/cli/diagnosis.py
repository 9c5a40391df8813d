"""Finds all that could keep a server from serving, for ``strongroom check``."""

import os
from contextlib import closing

from app.bootstrap import build
from app.dependencies import connect_database, make_keyring
from app.domain.operations.findings import Findings
from app.key_files import FIRST_KEY, first_key_file
from app.rates.connect import look_at_store
from app.repository.base import Database, DatabaseMisconfigured
from app.repository.connect import is_server
from app.services.diagnostics import look_at_providers
from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import Keyring
from backends.keyring.registry import create_faulty_keyring
from config.settings import Examined

_OF_SERVERS = (
    "STRONGROOM_DATABASE_CONNECTIONS",
    "STRONGROOM_DATABASE_POOLER",
    "STRONGROOM_MIGRATION_DATABASE_URL",
)
"""The settings that mean something for a database server alone."""


def diagnose(examined: Examined) -> Findings:
    """Find everything that could keep a server with these settings from serving."""
    findings = Findings(faults=[*examined.faults])
    for name, facts in examined.facts():
        findings.saw(name, facts)
    _look_for_ignored_settings(examined, findings)
    findings.include(look_at_store(examined.settings))
    keyring = _keyring_to_examine(examined, findings)
    database = _database_to_examine(examined, findings)
    if keyring and database:
        with closing(build(examined.settings, keyring=keyring, database=database)) as services:
            findings.include(services.checkup.run())
    elif keyring:
        with closing(keyring):
            findings.include(look_at_providers(keyring))
    elif database:
        with closing(database):
            findings.include(database.check())
    return findings


def _look_for_ignored_settings(examined: Examined, findings: Findings) -> None:
    if "STRONGROOM_DATABASE_URL" in examined.wrong or is_server(examined.settings.database_url):
        return
    for name in _OF_SERVERS:
        if examined.origins[name] != "default":
            findings.warn(f"{name}: it is ignored, since SQLite is no database server.")


def diagnose_before_init(examined: Examined) -> Findings:
    """Find the same as far as ``init`` does not make it: settings and key providers.

    The first provider's key file is made with the database, so it may be missing without one.
    """
    findings = Findings(faults=[*examined.faults])
    exists = _exists(examined, findings)
    keyring = _keyring_to_examine(examined, findings)
    if keyring:
        is_made = not exists and _lacks_key_file(examined)
        with closing(keyring):
            findings.include(look_at_providers(keyring, unmade=FIRST_KEY if is_made else None))
    return findings


def _exists(examined: Examined, findings: Findings) -> bool:
    database = _database_to_examine(examined, findings)
    if database is None:
        return False
    with closing(database):
        return database.exists()


def _lacks_key_file(examined: Examined) -> bool:
    try:
        path = first_key_file(examined.settings)
    except KeyProviderConfigError:  # is among the faults of the keyring
        return False
    return path is not None and not os.path.lexists(path)


def _keyring_to_examine(examined: Examined, findings: Findings) -> Keyring | None:
    """Build the keyring as far as it is usable; ``None`` if no provider is known."""
    if "STRONGROOM_KEYS" in examined.wrong:
        return None
    try:
        return make_keyring(examined.settings, create_faulty_keyring)
    except KeyProviderConfigError as error:
        findings.refuse(str(error))
        return None


def _database_to_examine(examined: Examined, findings: Findings) -> Database | None:
    if "STRONGROOM_DATABASE_URL" in examined.wrong:
        return None
    try:
        return connect_database(examined.settings)
    except DatabaseMisconfigured as error:
        findings.refuse(str(error))
        return None
