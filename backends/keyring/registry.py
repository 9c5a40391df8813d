"""Builds the keyring from its settings. A scheme's module is imported only when it is listed."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import ESCROW_KEYS, KEYS, Keyring, name_entry
from backends.private_file import FileReader
from backends.provider import KeyProvider, KeyWrapper, ProviderStatus, WrappedKey
from backends.provider_uri import ProviderSpec, parse_spec

MODULES = {
    "local-fernet": "backends.local_fernet",
    "aws-kms": "backends.aws_kms.provider",
    "recovery": "backends.recovery.provider",
    "vault-transit": "backends.vault_transit.provider",
}


class Misconfigured(KeyProvider):
    """Stands for a provider that could not be built, so that the others can be looked at.

    Args:
        fault: Why; names the setting, never its value.
    """

    scheme = "misconfigured"
    remote = False

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


def create_provider(spec: ProviderSpec) -> KeyWrapper:
    """Build the provider that ``spec`` names, through its module's ``from_spec``.

    Raises:
        KeyProviderConfigError: No such scheme, its SDK is not installed, or its settings are wrong.
    """
    if spec.scheme not in MODULES:
        known = ", ".join(MODULES)
        raise KeyProviderConfigError(f"{spec.setting}: the scheme must be one of {known}.")
    try:
        module = import_module(MODULES[spec.scheme])
    except ImportError:
        raise KeyProviderConfigError(
            f"{spec.setting}: the packages for {spec.scheme} are not installed."
        ) from None
    from_spec: Callable[[ProviderSpec], KeyWrapper] = module.from_spec
    return from_spec(spec)


def create_keyring(
    keys: Sequence[str], escrow_keys: Sequence[str], *, concurrency: int, files: FileReader
) -> Keyring:
    """Build the keyring of ``STRONGROOM_KEYS`` and ``STRONGROOM_ESCROW_KEYS``, in their order.

    Args:
        keys: URIs of providers; the first wraps, all may unwrap.
        escrow_keys: URIs of what also wraps.
        concurrency: How many calls to one provider may run at once.
        files: Reads the files that the URIs name.

    Raises:
        KeyProviderConfigError: All faults in one message, each naming its setting and entry.
    """
    keyring = create_faulty_keyring(keys, escrow_keys, concurrency=concurrency, files=files)
    if keyring.faults:
        raise KeyProviderConfigError(" ".join(keyring.faults))
    return keyring


def create_faulty_keyring(
    keys: Sequence[str], escrow_keys: Sequence[str], *, concurrency: int, files: FileReader
) -> Keyring:
    """Build the same to look at it: what cannot be built has a stand-in, and is in its faults.

    Raises:
        KeyProviderConfigError: No provider is listed.
    """
    if not keys:
        raise KeyProviderConfigError(f"{KEYS}: must list at least one key provider.")
    providers = [
        _create_provider(name_entry(KEYS, place), uri, concurrency, files)
        for place, uri in enumerate(keys)
    ]
    escrow = [
        _create_wrapper(name_entry(ESCROW_KEYS, place), uri, concurrency, files)
        for place, uri in enumerate(escrow_keys)
    ]
    faults = [each.fault for each in (*providers, *escrow) if isinstance(each, Misconfigured)]
    return Keyring(providers, escrow, concurrency=concurrency, faults=faults)


def _create_provider(setting: str, uri: str, concurrency: int, files: FileReader) -> KeyProvider:
    wrapper = _create_wrapper(setting, uri, concurrency, files)
    if isinstance(wrapper, KeyProvider):
        return wrapper
    return Misconfigured(f"{setting}: {wrapper.scheme} cannot unwrap; list it in {ESCROW_KEYS}.")


def _create_wrapper(setting: str, uri: str, concurrency: int, files: FileReader) -> KeyWrapper:
    try:
        return create_provider(
            parse_spec(uri, setting=setting, concurrency=concurrency, files=files)
        )
    except KeyProviderConfigError as error:
        return Misconfigured(str(error))
