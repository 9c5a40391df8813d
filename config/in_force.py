"""The settings in force: a faulty change is logged and has no effect."""

import logging
from collections.abc import Mapping

from config.settings import Settings, SettingsError, load

_LOG = logging.getLogger("strongroom.settings")


class InForce:
    """Remembers the last settings without a fault.

    gunicorn reads the settings again when it reloads and when it starts a worker. A fault would end
    its master, and with it the workers that serve. A worker inherits the settings of the master.
    """

    def __init__(self) -> None:
        self._last: Settings | None = None

    @property
    def settings(self) -> Settings | None:
        """The last settings without a fault, if any have been loaded."""
        return self._last

    def load(self, environ: Mapping[str, str]) -> Settings:
        """Load the settings of ``environ``, or return the last ones if these have a fault.

        Raises:
            SettingsError: The settings have a fault, and there are no earlier ones.
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
"""The settings in force in this process."""
