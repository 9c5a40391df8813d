"""Moving many data keys to Vault, and away from it, costs a call a batch."""

import os
from collections import Counter

from backends.data_key import DataKey, key_check
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.rewrapping import rewrap
from backends.local_fernet import LocalFernet
from backends.provider import KeyProvider, WrappedKey
from backends.vault_transit.provider import LARGEST_BATCH, VaultTransit
from tests.unit.backends.vault_transit.vault import CONTEXT, Vault

BATCHES = 3
KEY = DataKey.random()


def move(wrapped: WrappedKey, new: KeyProvider, old: KeyProvider) -> None:
    """Give as many data keys as fill the batches a wrapping by another provider."""
    keyring = Keyring([new, old])
    closed = ClosedKey(CONTEXT, key_check(KEY, CONTEXT), (wrapped,))
    answers = rewrap(keyring, keyring.targets[0], [closed] * (BATCHES * LARGEST_BATCH))
    assert {type(answer) for answer in answers} == {WrappedKey}


def test_moving_to_vault_costs_two_calls_a_batch(
    vault: Vault, provider: VaultTransit, asked: list[str]
) -> None:
    file = LocalFernet([os.urandom(32)])
    move(file.wrap(KEY, CONTEXT), provider, file)
    calls = Counter(asked)
    assert calls[f"POST /v1/transit/encrypt/{vault.key}"] == BATCHES
    assert calls[f"POST /v1/transit/decrypt/{vault.key}"] == BATCHES


def test_moving_away_from_vault_costs_a_call_a_batch(
    vault: Vault, provider: VaultTransit, asked: list[str]
) -> None:
    wrapped = provider.wrap(KEY, CONTEXT)
    asked.clear()
    move(wrapped, LocalFernet([os.urandom(32)]), provider)
    assert asked == [f"POST /v1/transit/decrypt/{vault.key}"] * BATCHES
