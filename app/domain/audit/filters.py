"""Filters of records in a list or an export."""

from dataclasses import dataclass

from app.domain.audit.events import AuditEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Selects records in a list.

    Attributes:
        action: Only those of this action.
        actor: Only those of this API key, or of keys that it issued; or of exactly this actor.
        subject: Only those about this id, in whatever version.
        since_ms: Only those from this time on.
        until_ms: Only those from before this time.
    """

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def selects(self, event: AuditEvent) -> bool:
        """Return True if the filter selects this record."""
        about = (subject.partition("@")[0] for subject in event.subjects)
        return (
            self.action in {None, event.action}
            and self.actor in {None, event.actor, *event.issuers}
            and self.subject in {None, *about}
            and (self.since_ms is None or self.since_ms <= event.at_ms)
            and (self.until_ms is None or event.at_ms < self.until_ms)
        )
