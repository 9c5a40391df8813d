"""The two files of a recovery key pair, as options of the command."""

from pathlib import Path

import click

from app.cli.private_files import NoLinks, create
from app.domain.operations.system_errors import name_of
from app.services.rotation.recover import RecoveryKeyTexts
from backends.errors import KeyProviderConfigError
from backends.private_file import FileReader, read_file
from backends.recovery.files import MalformedKeyFile, PrivateKeyFile

FILE = click.Path(dir_okay=False, path_type=Path)

_PRIVATE, _PUBLIC = "--private", "--public"
_NO_LINKS = (
    "this file system, perhaps FAT on a USB stick, has no private files: make the file on another "
    "one, and copy it from there."
)


def write_pair(pair: RecoveryKeyTexts, *, private: Path, public: Path) -> None:
    """Make both files, of mode 0600, or neither.

    Raises:
        click.BadParameter: A file exists, or cannot be made.
    """
    _write(_PRIVATE, private, pair.private.to_text())
    try:
        _write(_PUBLIC, public, pair.public)
    except click.BadParameter:
        private.unlink()
        raise


def read_private_half(path: Path, files: FileReader) -> PrivateKeyFile:
    """Read and parse the private file.

    Raises:
        KeyProviderConfigError: It cannot be read, others may read it, or it is malformed.
    """
    found = _private_half(read_file(files.read_private, path, _PRIVATE))
    if found is None:
        raise KeyProviderConfigError(f"{_PRIVATE}: the file must hold a recovery private key.")
    return found


def _private_half(content: bytes) -> PrivateKeyFile | None:
    """Parse the file; None if it is malformed. The parser's error must not be chained."""
    try:
        return PrivateKeyFile.from_text(content)
    except MalformedKeyFile:
        return None


def _write(option: str, path: Path, text: str) -> None:
    try:
        made = create(path, text.encode())
    except NoLinks:
        raise click.BadParameter(_NO_LINKS, param_hint=option) from None
    except OSError as error:
        fault = f"the file cannot be made ({name_of(error)})."
        raise click.BadParameter(fault, param_hint=option) from None
    if not made:
        raise click.BadParameter(
            "the file exists already, and is not overwritten.", param_hint=option
        )
