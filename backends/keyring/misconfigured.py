"""What stands for a provider that could not be built, so that the others can be looked at."""

from typing import ClassVar, NoReturn

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import Keyring
from backends.provider import KeyProvider, ProviderStatus, WrappedKey


class Misconfigured(KeyProvider):
    """Answers everything with the reason.

    Args:
        fault: Names the setting, never its value.
    """

    scheme: ClassVar[str] = "misconfigured"
    remote: ClassVar[bool] = False

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def owns(self, key_ref: str) -> bool:  # noqa: ARG002 - there is nothing to look it up in
        """Nothing is known of what it should own."""
        return False

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def status(self) -> ProviderStatus:
        """Not healthy, because of the fault."""
        return ProviderStatus(healthy=False, key_ref=None, detail=self.fault)

    def _refuse(self) -> NoReturn:
        raise KeyProviderConfigError(self.fault)


def faults_of(keyring: Keyring) -> list[str]:
    """Why some entries of a keyring could not be built, one sentence each."""
    providers = (member.provider for _, member in keyring.members())
    return [each.fault for each in providers if isinstance(each, Misconfigured)]
