"""The settings in force: a faulty change leaves them as they were, and is logged."""

import logging
from collections.abc import Mapping

from config.settings import Settings, SettingsError, load

_LOG = logging.getLogger("strongroom.settings")


class InForce:
    """Remembers the last settings without a fault.

    gunicorn reads settings again when it reloads and when it starts a worker. Its master would end
    over a fault, and with it workers that still serve; a worker inherits what the master remembers.
    """

    def __init__(self) -> None:
        self._last: Settings | None = None

    def load(self, environ: Mapping[str, str]) -> Settings:
        """The settings that ``environ`` holds, or the last ones if these have a fault.

        Raises:
            SettingsError: They have a fault, and there are no others.
        """
        try:
            self._last = load(environ)
        except SettingsError as error:
            if self._last is None:
                raise
            for fault in error.faults:
                _LOG.error("settings_kept", extra={"detail": fault})
        return self._last


in_force = InForce()
"""Of this process."""
