"""What the operator chose, read from a mapping such as the environment; imports none of ours."""

from config.in_force import in_force
from config.settings import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "in_force", "load"]
