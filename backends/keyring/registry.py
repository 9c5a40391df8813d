"""Which module serves which scheme; a module is imported only when its scheme is listed."""

from collections.abc import Callable, Sequence
from importlib import import_module

from backends.errors import KeyProviderConfigError
from backends.keyring.keyring import Keyring
from backends.keyring.misconfigured import Misconfigured, faults_of
from backends.private_file import FileReader
from backends.provider import KeyProvider, KeyWrapper
from backends.provider_uri import ProviderSpec, parse_spec

MODULES = {
    "local-fernet": "backends.local_fernet",
    "aws-kms": "backends.aws_kms.provider",
    "recovery": "backends.recovery.provider",
    "vault-transit": "backends.vault_transit.provider",
}


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
    faults = faults_of(keyring)
    if faults:
        raise KeyProviderConfigError(" ".join(faults))
    return keyring


def create_faulty_keyring(
    keys: Sequence[str], escrow_keys: Sequence[str], *, concurrency: int, files: FileReader
) -> Keyring:
    """Build the same to look at it: what cannot be built is ``Misconfigured``, in its place.

    Raises:
        KeyProviderConfigError: No provider is listed.
    """
    if not keys:
        raise KeyProviderConfigError("STRONGROOM_KEYS: must list at least one key provider.")
    providers = [
        _create_provider(f"STRONGROOM_KEYS (entry {place})", uri, concurrency, files)
        for place, uri in enumerate(keys, start=1)
    ]
    escrow = [
        _create_wrapper(f"STRONGROOM_ESCROW_KEYS (entry {place})", uri, concurrency, files)
        for place, uri in enumerate(escrow_keys, start=1)
    ]
    return Keyring(providers, escrow, concurrency=concurrency)


def _create_provider(setting: str, uri: str, concurrency: int, files: FileReader) -> KeyProvider:
    wrapper = _create_wrapper(setting, uri, concurrency, files)
    if isinstance(wrapper, KeyProvider):
        return wrapper
    return Misconfigured(
        f"{setting}: {wrapper.scheme} cannot unwrap; list it in STRONGROOM_ESCROW_KEYS."
    )


def _create_wrapper(setting: str, uri: str, concurrency: int, files: FileReader) -> KeyWrapper:
    try:
        return create_provider(
            parse_spec(uri, setting=setting, concurrency=concurrency, files=files)
        )
    except KeyProviderConfigError as error:
        return Misconfigured(str(error))
