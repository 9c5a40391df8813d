"""From the settings to the rate limits of a process."""

from typing import TYPE_CHECKING

from app.domain.errors import DomainError
from app.domain.operations.findings import Findings
from app.rates.counts import Counts, CountsInMemory
from app.rates.rate_limits import RateLimits
from config.settings import Settings

if TYPE_CHECKING:
    from app.rates.shared_counts import Store

_STORE = "STRONGROOM_RATE_LIMIT_STORE"


class RateStoreUnusable(DomainError):
    """The libraries that the store needs are not installed."""

    message = f"{_STORE}: the driver of Redis is missing; run: pip install 'strongroom[redis]'"


def make_rate_limits(settings: Settings) -> RateLimits:
    """Make the rate limits that the settings name. Nothing is opened yet.

    Raises:
        RateStoreUnusable: The settings name a store, and its driver is not installed.
    """
    own, rates = CountsInMemory(), (settings.rate_limit_key, settings.rate_limit_account)
    is_counting = rates != (None, None) or settings.gateway_url is not None
    if settings.rate_limit_store is None or not is_counting:
        return RateLimits(*rates, own)
    return _shared(settings, settings.rate_limit_store, own)


def _shared(settings: Settings, url: str, own: Counts) -> RateLimits:
    store = _connect(url)
    from app.rates.shared_counts import SharedCounts  # noqa: PLC0415 - an extra

    return RateLimits(
        settings.rate_limit_key,
        settings.rate_limit_account,
        SharedCounts(store, own),
        close=store.storage.close,
    )


def look_at_store(settings: Settings) -> Findings:
    """Ask the store to count. A failure is a warning, since each worker then counts by itself."""
    findings = Findings()
    if settings.rate_limit_store is None:
        return findings
    try:
        store = _connect(settings.rate_limit_store)
    except RateStoreUnusable as error:
        findings.refuse(str(error))
        return findings
    from app.rates.shared_counts import find_fault  # noqa: PLC0415 - an extra

    fault = find_fault(store)
    if fault is not None:
        findings.warn(
            f"{_STORE}: the store cannot count ({fault}), so each worker counts by itself."
        )
    return findings


def _connect(url: str) -> "Store":
    """Import the driver, which is an extra, only for who uses it."""
    try:
        from app.rates.shared_counts import connect_store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"limits", "redis"}:
            raise
        raise RateStoreUnusable from None
    return connect_store(url)
