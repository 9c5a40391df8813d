"""The command ``strongroom``, its output and its files."""
