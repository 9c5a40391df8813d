"""Reads files that hold keys or credentials, by the rules of this host."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from backends.errors import KeyProviderConfigError


class FileReader(Protocol):
    """Reads a file of at most 64 KiB unless other users could have touched it.

    Raises ``ValueError`` otherwise, whose text is to be said after "the file".
    """

    def read_private(self, path: Path) -> bytes:
        """The bytes of a file that other users can neither read nor write."""

    def read_trusted(self, path: Path) -> bytes:
        """The bytes of a file that other users may read and cannot write."""

    def read_bundle(self, path: Path) -> bytes:
        """The same, of a file of certificates, which may be larger."""


def read_file(read: Callable[[Path], bytes], path: Path, setting: str) -> bytes:
    """The bytes of the file that a setting names.

    Args:
        read: A method of a ``FileReader``.
        path: The file; a link to it will do.
        setting: Names the file, for the message.

    Raises:
        KeyProviderConfigError: It cannot be read, or others could have touched it. Names the
            setting, never the path.
    """
    try:
        return read(path)
    except ValueError as error:
        fault = str(error)
    raise KeyProviderConfigError(f"{setting}: the file {fault}.")
