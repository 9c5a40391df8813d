"""New data keys as rows, and what to say where their root key was retired."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.crypto.system_key import OpenedSystemKey
from app.domain.data_keys import DataKeyRow, DataKeyState, GuardedDataKey, Wrapping
from app.repository.base import Fenced
from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import Keyring
from backends.provider import WrappedKey


def new_data_key(
    opened: OpenedSystemKey,
    keyring: Keyring,
    context: KeyContext,
    generated: tuple[DataKey, Sequence[WrappedKey]],
    now_ms: int,
) -> GuardedDataKey:
    """Return the rows of an active data key that the keyring has just generated."""
    key, wrapped = generated
    record = DataKeyRow(
        account_id=context.account_id,
        id=context.data_key_id,
        state=DataKeyState.ACTIVE,
        check=key_check(key, context),
        created_at_ms=now_ms,
    )
    wrappings = [
        Wrapping(context.account_id, context.data_key_id, each, keyring.root_of(each.key_ref))
        for each in wrapped
    ]
    return GuardedDataKey(opened.guard(record), tuple(map(opened.guard, wrappings)))


@contextmanager
def refusing_retired_keys() -> Iterator[None]:
    """Blame the settings where a unit of work adds a wrapping by a retired root key.

    Raises:
        KeyProviderConfigError: A wrapping's root key was retired; names the settings.
    """
    try:
        yield
    except Fenced:
        raise KeyProviderConfigError(
            "STRONGROOM_KEYS or STRONGROOM_ESCROW_KEYS: a key that new wrappings are made by was "
            "retired."
        ) from None
