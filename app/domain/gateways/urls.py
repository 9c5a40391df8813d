"""The URL at which agents reach a config: the gateway's, with the config's id as path or as host.

Some clients keep only host and port of a base URL. For these the gateway's URL has ``{config}`` as
the first label of its host. Names of hosts have no case, and ids do, so the label is the id in
base32.
"""

import base64
import binascii
import re

CONFIG_LABEL = "{config}"

_PREFIX = "gwc_"
_ID = re.compile(r"gwc_[0-9A-Za-z]{1,32}")
_IN_PATH = re.compile(r"/(gwc_[0-9A-Za-z]{1,32})(?=[/?]|\Z)")
_LABEL = re.compile("[a-z2-7]{2,52}")


class ConfigUrls:
    """The URLs of all configs.

    Args:
        url: The gateway's own, without a slash at its end.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        host = url.partition("://")[2]
        self._suffix = host.removeprefix(CONFIG_LABEL) if host.startswith(CONFIG_LABEL) else None

    def url(self, config_id: str) -> str:
        """Return the base URL of a config, without a slash at its end."""
        if self._suffix is None:
            return f"{self._url}/{config_id}"
        return self._url.replace(CONFIG_LABEL, _label(config_id))

    def prefix(self, config_id: str) -> str:
        """Return the path before that of the upstream; empty if the host names the config."""
        return "" if self._suffix is not None else f"/{config_id}"

    def find(self, host: str, target: str) -> tuple[str, str] | None:
        """Return the id of the config that a request names, and its target at the upstream.

        Args:
            host: The header ``Host``.
            target: As it stands in the request line.

        Returns:
            ``None`` if the request names none.
        """
        if self._suffix is None:
            found = _IN_PATH.match(target)
            rest = target[found.end() :] if found else ""
            return (found[1], rest if rest.startswith("/") else f"/{rest}") if found else None
        label, dot, suffix = host.lower().partition(".")
        config = _config(label) if f"{dot}{suffix}" == self._suffix else None
        return None if config is None else (config, target)


def _label(config_id: str) -> str:
    digits = config_id.removeprefix(_PREFIX).encode()
    return base64.b32encode(digits).decode().rstrip("=").lower()


def _config(label: str) -> str | None:
    if not _LABEL.fullmatch(label):
        return None
    try:
        digits = base64.b32decode(label.upper() + "=" * (-len(label) % 8)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    config = f"{_PREFIX}{digits}"
    return config if _ID.fullmatch(config) and _label(config) == label else None
