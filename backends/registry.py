"""Which module serves which scheme; a module is imported only when its scheme is listed."""

from collections.abc import Callable
from importlib import import_module

from backends.errors import KeyProviderConfigError
from backends.provider import KeyWrapper
from backends.spec import ProviderSpec

MODULES = {
    "local-fernet": "backends.local_fernet",
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
