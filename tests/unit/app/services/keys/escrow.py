"""A deployment that has lost everything but its database and the offline recovery key."""

from dataclasses import dataclass

from app.services.container import Services
from backends.recovery.files import PrivateKeyFile
from tests.unit.app.services.keys.moving import Move, ignore


@dataclass(frozen=True)
class Loss:
    """The remains of a deployment, and the operator's new key file.

    Attributes:
        private: What the offline file holds.
        escrow: The URI of the public half.
        fresh: The URI of the new key file.
    """

    move: Move
    private: PrivateKeyFile
    escrow: str
    fresh: str

    @classmethod
    def of(cls, move: Move) -> "Loss":
        """Escrow every data key, then lose the key file."""
        made = move.process(move.a).recovery.make_key()
        public = move.deployment.home / "recovery.pub"
        public.write_text(made.public)
        escrow = f"recovery:{public}"
        move.process(move.a, escrow=escrow).rewrap.run(ignore)
        (move.deployment.home / "keys").unlink()
        private = PrivateKeyFile.from_text(made.private.to_text())
        return cls(move, private, escrow, move.deployment.key_file("fresh"))

    def process(self) -> Services:
        """A new process on the new key file."""
        return self.move.process(self.fresh, escrow=self.escrow)
