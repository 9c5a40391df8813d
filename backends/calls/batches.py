"""Many items at once: in batches where a vendor takes them, in several calls where it does not.

Every item has its own result, in order, or the error that stands for it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from backends.calls.daemon_thread import in_daemon_thread
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import DecryptionError, KeyAccessDenied, KeyProviderError, KeyUnavailable
from backends.provider import WrappedKey, or_error

Subject = TypeVar("Subject", DataKey, WrappedKey)
T = TypeVar("T")


def in_batches(
    items: Sequence[tuple[Subject, KeyContext]],
    size: int,
    ask: Callable[[Sequence[tuple[Subject, KeyContext]]], list[T | KeyProviderError]],
    one: Callable[[Subject, KeyContext], T],
) -> list[T | KeyProviderError]:
    """Ask for ``size`` items a call; what refuses one call refuses the rest.

    Args:
        ask: One call with a batch; raises what refuses the batch as a whole.
        one: One call with one item, for a batch that was refused because an item of it does not
            open, as Vault 1.8 refuses it.
    """
    results: list[T | KeyProviderError] = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        try:
            results += ask(batch)
        except DecryptionError:
            results += [or_error(partial(one, *item)) for item in batch]
        except KeyProviderError as error:
            return results + [error] * (len(items) - start)
    return results


def side_by_side(
    items: Sequence[tuple[Subject, KeyContext]],
    concurrency: int,
    call: Callable[[Subject, KeyContext], T],
) -> list[T | KeyProviderError]:
    """Make ``concurrency`` calls at once, one an item.

    Once the provider is unavailable or denies, the rest are not asked for and get the same error.
    """
    hopeless: list[KeyProviderError] = []

    def call_one(item: tuple[Subject, KeyContext]) -> T | KeyProviderError:
        result = hopeless[0] if hopeless else or_error(partial(call, *item))
        if isinstance(result, KeyUnavailable | KeyAccessDenied):
            hopeless.append(result)
        return result

    def call_all(share: Sequence[tuple[Subject, KeyContext]]) -> list[T | KeyProviderError]:
        return [call_one(item) for item in share]

    shares = [partial(call_all, items[start::concurrency]) for start in range(concurrency)]
    threads = [in_daemon_thread(each, "side-by-side") for each in shares[: len(items)]]
    results = [each.result() for each in threads]
    return [results[place % concurrency][place // concurrency] for place in range(len(items))]
