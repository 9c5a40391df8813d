"""A re-encryption that has not ended yet: what a node needs to go on with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.domain.guarded import GuardedField, MacLayouts


@dataclass(frozen=True, slots=True)
class Reencryption:
    """The job that is under way; the deployment's row holds it, and there is one at most.

    Attributes:
        started_ms: Unix milliseconds; every data key made until then is to be replaced.
    """

    table: ClassVar[str] = "deployment"
    mac_layouts: ClassVar[MacLayouts] = MacLayouts()

    started_ms: int

    def columns(self) -> Mapping[str, GuardedField]:
        """The start: an earlier time would spare data keys that are to go."""
        return {"reencrypt_started_ms": self.started_ms}
