"""The findings of a check of the deployment. None of them contains a value."""

from dataclasses import dataclass, field
from typing import NamedTuple


class LookedAt(NamedTuple):
    """One thing that was looked at, and the plain facts about it."""

    subject: str
    facts: str


@dataclass(slots=True)
class Findings:
    """Collects what a check looks at, one sentence or fact at a time.

    Attributes:
        looked_at: In the order in which it was looked at; names and facts, never a secret.
        warnings: What works now and needs attention, one sentence each.
        faults: What would keep the server from serving, one sentence each, beginning with the
            setting that it is about.
    """

    looked_at: list[LookedAt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if the server can serve."""
        return not self.faults

    def saw(self, subject: str, facts: str) -> None:
        """Note what was looked at."""
        self.looked_at.append(LookedAt(subject, facts))

    def warn(self, sentence: str) -> None:
        """Note what needs attention although the server can serve."""
        self.warnings.append(sentence)

    def refuse(self, sentence: str) -> None:
        """Note what would keep the server from serving."""
        self.faults.append(sentence)

    def include(self, others: "Findings") -> None:
        """Add what another check found."""
        self.looked_at += others.looked_at
        self.warnings += others.warnings
        self.faults += others.faults
