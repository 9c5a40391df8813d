"""New wrappings of data keys on their way into the database, a batch in one unit of work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.domain.errors import StorageUnavailable
from app.repository.base import Database, UnitOfWork
from app.services.keys.failure_reasons import FailureReason, failure_reason_of
from app.services.keys.sweep import VerifiedDataKey
from app.services.keys.wrappings import refusing_retired_keys
from backends.provider import WrappedKey


@dataclass(frozen=True, slots=True)
class NewWrapping:
    """A new wrapping of a data key.

    Attributes:
        root: The name of its root key.
        needless: The wrappings that it replaces.
    """

    key: VerifiedDataKey
    wrapped: WrappedKey
    root: str
    needless: tuple[WrappedKey, ...]


def store_all(
    database: Database,
    new: Sequence[NewWrapping],
    store: Callable[[UnitOfWork, NewWrapping], None],
) -> dict[str, FailureReason]:
    """Store all of them or none.

    Returns:
        The ids of the data keys whose wrappings the database could not store, and why.

    Raises:
        KeyProviderConfigError: The root key of one was retired.
    """
    if not new:
        return {}
    try:
        with refusing_retired_keys(), database.writing() as work:
            for each in new:
                store(work, each)
            work.commit()
    except StorageUnavailable as error:
        return {each.key.record.id: failure_reason_of(error) for each in new}
    return {}
