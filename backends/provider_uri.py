"""One entry of a keyring setting, parsed: ``scheme:location?option=value&…``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import parse_qsl

from backends.errors import KeyProviderConfigError
from backends.private_file import FileReader

_SCHEME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """The parts of a URI, and what else a provider is built with.

    Attributes:
        setting: The setting and the entry's place in it, for messages.
        scheme: Selects the provider.
        location: The URI after the scheme and before the options.
        options: The options, each at most once. Secrets come by file only, so none is secret.
        concurrency: The limit of calls at once: the size of a connection pool.
        files: Reads the files that it names.
    """

    setting: str
    scheme: str
    location: str
    options: Mapping[str, str]
    concurrency: int
    files: FileReader = field(repr=False)


def parse_spec(uri: str, *, setting: str, concurrency: int, files: FileReader) -> ProviderSpec:
    """Parse one URI.

    Raises:
        KeyProviderConfigError: It is not a URI of this form; names the setting, never the value.
    """
    scheme, colon, rest = uri.partition(":")
    location, mark, query = rest.partition("?")
    if not colon or not location or not _SCHEME.fullmatch(scheme):
        raise KeyProviderConfigError(
            f"{setting}: must read scheme:location, for example local-fernet:PATH."
        )
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(mark), max_num_fields=16
        )
    except ValueError:
        raise KeyProviderConfigError(f"{setting}: the options after ? are malformed.") from None
    options = dict(pairs)
    if len(options) != len(pairs):
        raise KeyProviderConfigError(f"{setting}: an option is given twice.")
    return ProviderSpec(setting, scheme, location, options, concurrency, files)


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine, so that what it is sent in clear stays here."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
