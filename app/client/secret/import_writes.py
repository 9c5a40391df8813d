"""The writes of an import: a few at once, with a report at any end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.client.api import Account
from app.client.import_files.entries import Entry
from app.client.redeem import UNAVAILABLE, Refused, RefusedByServer
from app.client.secret.calls_at_once import CallsAtOnce

CREATED, REPLACED = "created", "replaced"
_REFUSED_FOR_ALL = frozenset({401, 403})
_LAST_SECONDS = 2.0  # after Ctrl-C, for the calls that run


class Write(NamedTuple):
    """An entry to store, and whether its name existed when the import began."""

    entry: Entry
    exists: bool


@dataclass(slots=True)
class Report:
    """The result of each name so far.

    Attributes:
        skipped: The number of names that were left as they are.
    """

    names: list[str]
    skipped: int = 0
    done: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Refused] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def add(self, name: str, result: str | Refused) -> None:
        """Add a result: `CREATED`, `REPLACED` or a refusal."""
        if isinstance(result, Refused):
            self.failed[name] = result
        else:
            self.done[name] = result

    @property
    def uncertain(self) -> list[str]:
        """The names whose call was begun and has no result."""
        return [n for n in self.names if n in self.begun and n not in {*self.done, *self.failed}]

    def summary(self) -> str:
        """Count the results."""
        results = [*self.done.values()]
        counts = {
            CREATED: results.count(CREATED),
            REPLACED: results.count(REPLACED),
            "skipped": self.skipped,
            "failed": len(self.failed),
            "may be stored or not": len(self.uncertain),
            "not begun": len(self.names) - len(self.begun),
        }
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        return ", ".join(parts) or "nothing was imported"


def write_all(
    writes: Sequence[Write],
    account: Callable[[], Account],
    report: Report,
    advance: Callable[[], None],
) -> None:
    """Store the entries, and add each result to the report.

    A refusal that others would get too, or a server that is away, ends the import early.
    """

    def write(each: Write) -> str:
        report.begun.add(each.entry.name)
        try:
            return _write(account(), each)
        except Refused as refused:
            if _ends_all(refused):
                calls.stop()
            raise

    calls = CallsAtOnce(writes, write)
    try:
        for each, result in calls.results():
            report.add(each.entry.name, result)
            advance()
    except BaseException:  # Ctrl-C or a signal
        calls.stop()
        for each, result in calls.late_results(_LAST_SECONDS):
            report.add(each.entry.name, result)
        raise


def _write(account: Account, each: Write) -> str:
    entry = each.entry
    if each.exists:
        return CREATED if account.put(entry.name, entry.value) else REPLACED
    account.create(entry.name, entry.value)
    return CREATED


def _ends_all(refused: Refused) -> bool:
    if isinstance(refused, RefusedByServer):
        return refused.status in _REFUSED_FOR_ALL
    return refused.code == UNAVAILABLE
