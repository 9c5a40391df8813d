"""Worker processes as they tell the deployment of themselves."""

from dataclasses import dataclass

LIVE_S = 60.0
"""A worker that was heard from within this counts as live, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One process that serves.

    Attributes:
        node: Host name and process id, for people.
        key_refs: What each provider that it lists gives to new wrappings, as far as it knows.
        opened_by: The key_refs by which it opened the system data key the last time, without those
            that it knew to be fenced.
        fence_generation: Of the fences that it knows.
    """

    id: str
    node: str
    key_refs: tuple[str, ...]
    opened_by: tuple[str, ...]
    fence_generation: int


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A worker's row as it was read.

    Attributes:
        age_s: Seconds since its last heartbeat, both by the database's clock. It is below zero
            where that clock was set back meanwhile.
    """

    worker: Worker
    age_s: float

    @property
    def is_live(self) -> bool:
        """True if its last heartbeat is recent."""
        return abs(self.age_s) <= LIVE_S
