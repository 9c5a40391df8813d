"""Which module serves which scheme; a module is imported only when its scheme is listed."""

from collections.abc import Callable, Sequence
from importlib import import_module

from backends.errors import KeyProviderConfigError
from backends.keyring import Keyring
from backends.provider import KeyProvider, KeyWrapper
from backends.spec import ProviderSpec, parse_spec

MODULES = {
    "local-fernet": "backends.local_fernet",
    "aws-kms": "backends.aws_kms",
    "recovery": "backends.recovery",
    "vault-transit": "backends.vault_transit",
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


def create_keyring(keys: Sequence[str], escrow_keys: Sequence[str], *, concurrency: int) -> Keyring:
    """Build the keyring of ``STRONGROOM_KEYS`` and ``STRONGROOM_ESCROW_KEYS``, in their order.

    Args:
        keys: URIs of providers; the first wraps, all may unwrap.
        escrow_keys: URIs of what also wraps.
        concurrency: How many calls to one provider may run at once.

    Raises:
        KeyProviderConfigError: All faults in one message, each naming its setting and entry.
    """
    faults: list[str] = []
    members = _create_all("STRONGROOM_KEYS", keys, concurrency, faults)
    escrow = _create_all("STRONGROOM_ESCROW_KEYS", escrow_keys, concurrency, faults)
    providers = [member for member in members if isinstance(member, KeyProvider)]
    if not keys:
        faults.append("STRONGROOM_KEYS: must list at least one key provider.")
    elif len(providers) != len(members):
        faults.append("STRONGROOM_KEYS: holds a scheme that cannot unwrap; list it as escrow.")
    if faults:
        raise KeyProviderConfigError(" ".join(faults))
    return Keyring(providers, escrow, concurrency=concurrency)


def _create_all(
    setting: str, uris: Sequence[str], concurrency: int, faults: list[str]
) -> list[KeyWrapper]:
    members = []
    for place, uri in enumerate(uris, start=1):
        try:
            spec = parse_spec(uri, setting=f"{setting} (entry {place})", concurrency=concurrency)
            members.append(create_provider(spec))
        except KeyProviderConfigError as error:
            faults.append(str(error))
    return members
