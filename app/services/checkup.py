"""What is wrong with a deployment before it starts: all faults at once, none with a value in it."""

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.data_keys import StoredDataKey
from app.domain.errors import DomainError, NotInitialised
from app.repository.base import Database
from app.services.keyring.entries import Entry, entries
from app.services.system_key import SystemKey
from app.services.wrappings import to_wrapped_key
from backends.context import KeyContext
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring import Keyring
from backends.misconfigured import faults_of
from backends.proof import prove_generating, prove_rewrapping, prove_unwrapping
from backends.provider import KeyProvider
from backends.renewal import HeldKey

_NOTHING_HELD = HeldKey(KeyContext("check", "check", "check"), b"", ())


class Checkup:
    """Looks at the database and the keyring as ``strongroom check`` does."""

    def __init__(self, database: Database, keyring: Keyring, system_key: SystemKey) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key

    def faults(self) -> list[str]:
        """One sentence a fault; empty when the server may start."""
        faults = self._database.check()
        if faults:
            return [*faults, *self._provider_faults(_NOTHING_HELD)]
        faults = self._provider_faults(self._held_system_key())
        if faults_of(self._keyring):  # which may own what the others do not
            return faults
        return [*faults, *self._system_key_faults(), *self._orphan_faults()]

    def _provider_faults(self, system_key: HeldKey) -> list[str]:
        """What providers refuse; that one is out of reach only if no other one can unwrap."""
        refused, unreachable = [], []
        can_unwrap = False
        for entry in entries(self._keyring):
            try:
                _prove(entry, system_key)
                can_unwrap = can_unwrap or entry.role != "escrow"
            except KeyUnavailable as error:
                unreachable.append(entry.says(str(error)))
            except KeyProviderError as error:
                refused.append(entry.says(str(error)))
        return refused if can_unwrap else [*unreachable, *refused]

    def _held_system_key(self) -> HeldKey:
        """Its rows as they stand; what is wrong with them is told when it is opened."""
        try:
            with self._database.reading() as repository:
                deployment_id = repository.deployment.get_id()
                stored = repository.data_keys.get_active(SYSTEM_ACCOUNT_ID)
        except DomainError:
            return _NOTHING_HELD
        if deployment_id is None or stored is None:
            return _NOTHING_HELD
        return _held(deployment_id, stored)

    def _system_key_faults(self) -> list[str]:
        try:
            self._system_key.opened()
        except NotInitialised as error:
            return [str(error)]
        except (DomainError, KeyProviderError) as error:
            return [f"STRONGROOM_KEYS: the system data key does not open: {error}"]
        return []

    def _orphan_faults(self) -> list[str]:
        with self._database.reading() as repository:
            refs = [ref for ref in repository.wrappings.counts() if self._keyring.owns(ref)]
            orphans = repository.data_keys.count_without(refs)
        if not orphans:
            return []
        return [f"STRONGROOM_KEYS: no listed provider could open {orphans} data keys."]


def _prove(entry: Entry, system_key: HeldKey) -> None:
    """Have a provider open its wrapping of the system key, and wrap in each way that is its part.

    One that only unwraps and has no wrapping of it yet makes one of another key, to open that.
    """
    member, context = entry.member, system_key.context
    provider = member.provider
    status = member.status()  # first: some know what they own only once they were asked
    own = system_key.owned_by(provider)
    if isinstance(provider, KeyProvider):
        if own:
            prove_unwrapping(member, provider, own[0], context, system_key.check)
        if entry.role == "wraps" or (entry.role == "unwraps" and not own):
            prove_generating(member, provider, context)
    if entry.role != "unwraps":
        prove_rewrapping(member, context)
    if not status.healthy:
        raise KeyProviderError(status.detail)


def _held(deployment_id: str, stored: StoredDataKey) -> HeldKey:
    record = stored.record.unverified
    context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, record.id)
    wrappings = tuple(to_wrapped_key(each.unverified) for each in stored.wrappings)
    return HeldKey(context, record.check, wrappings)
