"""Puts a backup in the place of the database, with services of the one and of the other."""

from contextlib import closing
from pathlib import Path

from app.bootstrap import build
from app.dependencies import connect_database, database_exists
from app.domain.audit.actors import Actor
from app.domain.errors import DomainError
from app.domain.operations.backups import Restored
from app.services.upkeep.backups import LiveKeys
from backends.errors import KeyProviderError
from config.settings import Settings


def restore(
    settings: Settings, file: Path, actor: Actor, *, replace: bool, skip_damaged: bool
) -> Restored:
    """Put a backup in the place of the database that the settings name.

    Args:
        file: The backup.
        actor: Who restores it.
        replace: Whether a database may be there already, to be set aside.
        skip_damaged: Take over damaged rows, which grant nothing.

    Raises:
        KeyProviderConfigError: The keyring settings are wrong; names the setting.
        DatabaseMisconfigured: The database's address cannot be used; names the setting.
        FileRefused: The backup cannot be read, or the place is taken or in use.
        BackupDamaged: The backup is not what a server wrote.
    """
    before, lost_head = _present(settings)
    database = connect_database(settings)
    with database.replacing(file, replace=replace) as replacement:
        copied = build(settings, database=replacement.database, actor=actor)
        with closing(copied) as services:
            taken_over = services.backups.take_over(replacement, before, skip_damaged=skip_damaged)
            if lost_head is not None and taken_over.is_verified:
                services.audit.losses.accept_restore(lost_head)
        contents = replacement.contents()
        return Restored(taken_over, contents, replacement.put_in_place())


def _present(settings: Settings) -> tuple[LiveKeys | None, str | None]:
    """Read the API keys and the newest head of the present database, if it can be read."""
    if not database_exists(settings):
        return None, None
    with closing(build(settings)) as services:
        try:
            keys = services.backups.live_keys()
            head = services.audit.heads.newest(sealing=False)
        except (DomainError, KeyProviderError):
            return None, None
    return keys, None if head is None else head.note
