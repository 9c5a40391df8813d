"""What the operator chose, read from a mapping such as the environment; imports none of ours."""

from config.settings import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "load"]
