"""The result of a verification: what was looked at, and what is not as it was written."""

from dataclasses import dataclass, field

LISTED = 1000
"""The number of faults that a verification lists, if it is not asked for more."""


@dataclass(slots=True)
class AuditFindings:
    """The findings of a verification.

    Attributes:
        listed: The limit on the faults that are listed; others are only counted.
        faults: Each names a place.
        explained: Differences that a record of an operator explains.
        unchecked: What could not be verified, and why.
        uncounted: The number of faults that are not listed.
    """

    listed: int = LISTED
    events: int = 0
    blocks: int = 0
    heads: int = 0
    size: int = 0
    faults: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    uncounted: int = 0

    @property
    def ok(self) -> bool:
        """Return True if nothing is wrong that no record explains."""
        return not self.faults

    def fault(self, text: str) -> None:
        """Note a fault."""
        if len(self.faults) < self.listed:
            self.faults.append(text)
        else:
            self.uncounted += 1
