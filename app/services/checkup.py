"""What is wrong with a deployment before it starts: all faults at once, none with a value in it."""

from collections.abc import Iterator

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.data_keys import StoredDataKey
from app.domain.errors import DomainError, NotInitialised
from app.repository.base import Database
from app.services.system_key import SystemKey
from app.services.wrappings import to_wrapped_key
from backends.context import KeyContext
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring import Keyring
from backends.member import Member
from backends.proof import prove_round_trip, prove_unwrapping
from backends.provider import KeyProvider, KeyWrapper
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
        return [
            *self._provider_faults(self._held_system_key()),
            *self._system_key_faults(),
            *self._orphan_faults(),
        ]

    def _provider_faults(self, system_key: HeldKey) -> list[str]:
        """What providers refuse; that one is out of reach only if no other one can unwrap."""
        refused, unreachable = [], []
        can_unwrap = False
        for setting, role, member in self._entries():
            try:
                _prove(role, member, system_key)
                can_unwrap = can_unwrap or role != "escrow"
            except KeyUnavailable as error:
                unreachable.append(_named(setting, str(error)))
            except KeyProviderError as error:
                refused.append(_named(setting, str(error)))
        return refused if can_unwrap else [*unreachable, *refused]

    def _entries(self) -> Iterator[tuple[str, str, Member[KeyWrapper]]]:
        places = {"STRONGROOM_KEYS": 0, "STRONGROOM_ESCROW_KEYS": 0}
        for role, member in self._keyring.members():
            setting = "STRONGROOM_ESCROW_KEYS" if role == "escrow" else "STRONGROOM_KEYS"
            places[setting] += 1
            yield f"{setting} (entry {places[setting]})", role, member

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


def _prove(role: str, member: Member[KeyWrapper], system_key: HeldKey) -> None:
    """Have a provider open its wrapping of the system key, and wrap if that is its part.

    One that has no wrapping of it yet makes a round trip.
    """
    provider, context = member.provider, system_key.context
    status = member.status()  # first: some know what they own only once they were asked
    own = system_key.owned_by(provider)
    if own and isinstance(provider, KeyProvider):
        prove_unwrapping(member, provider, own[0], context, system_key.check)
    if role != "unwraps" or not own:
        prove_round_trip(member, context)
    if not status.healthy:
        raise KeyProviderError(status.detail)


def _named(setting: str, text: str) -> str:
    return text if text.startswith(setting) else f"{setting}: {text}"


def _held(deployment_id: str, stored: StoredDataKey) -> HeldKey:
    record = stored.record.unverified
    context = KeyContext(deployment_id, SYSTEM_ACCOUNT_ID, record.id)
    wrappings = tuple(to_wrapped_key(each.unverified) for each in stored.wrappings)
    return HeldKey(context, record.check, wrappings)
