"""The result of a verification: what was looked at, and what is not as it was written."""

from dataclasses import dataclass, field

_LISTED = 1000


@dataclass(slots=True)
class AuditFindings:
    """The findings of a verification.

    Attributes:
        faults: Each names a place. Those after the first thousand are only counted.
        explained: Differences that a record of an operator explains.
        unchecked: What could not be verified, and why.
        uncounted: The number of faults that are not listed.
    """

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
        if len(self.faults) < _LISTED:
            self.faults.append(text)
        else:
            self.uncounted += 1
