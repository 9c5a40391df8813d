"""The operator's settings, read from a mapping such as the environment."""

from config.in_force import in_force
from config.settings import Examined, Settings, SettingsError, examine, load

__all__ = ["Examined", "Settings", "SettingsError", "examine", "in_force", "load"]
