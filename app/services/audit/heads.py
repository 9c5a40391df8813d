"""The newest head of the log, signed for the present moment."""

from dataclasses import dataclass
from typing import NamedTuple

from app.repository.base import Database
from app.services.audit.log_end import newest_verified_head
from app.services.audit.sealing import Sealer
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey


class SignedHead(NamedTuple):
    """A head that may leave the host.

    Attributes:
        size: The number of leaves of the log.
        root: The root over them.
        note: The signed checkpoint.
        verifier_key: The public key that verifies it.
    """

    size: int
    root: bytes
    note: str
    verifier_key: str


@dataclass(eq=False, repr=False)
class AuditHeads:
    """Returns the newest head."""

    _database: Database
    _system_key: SystemKey
    _sealer: Sealer
    _clock: Clock

    def newest(self, *, sealing: bool = True) -> SignedHead | None:
        """Seal what waits, and sign the newest head with the present time.

        Args:
            sealing: False leaves the sealing out.

        Returns:
            ``None`` as long as nothing was ever sealed.
        """
        opened = self._system_key.opened()
        if sealing:
            self._sealer.seal()
        with self._database.reading() as repository:
            newest = newest_verified_head(repository, opened)
        if newest is None:
            return None
        signer = opened.head_signer
        note = signer.sign(newest.size, newest.root, self._clock())
        return SignedHead(newest.size, newest.root, note, signer.verifier.text)
