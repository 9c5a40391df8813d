"""Reads the text of settings: from ``NAME``, or from the file that ``NAME_FILE`` names."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

_FILE = "_FILE"
_SERVICE_LINK = re.compile(
    r"_SERVICE_HOST\Z|_SERVICE_PORT(_[A-Z0-9_]+)?\Z|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?\Z"
)
_LINKED_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

Contents = Callable[[Path], bytes]


class Fault(NamedTuple):
    """A fault of one setting: its name, and a sentence that begins with it."""

    name: str
    text: str


def read(
    environ: Mapping[str, str], names: Sequence[str], prefix: str, contents: Contents
) -> tuple[dict[str, str], list[Fault]]:
    """Read the text of every setting that is set. Returns it with the faults of their sources.

    Args:
        environ: May hold other variables too.
        names: The names of all settings.
        prefix: A name with this prefix that is not in ``names`` is a fault.
        contents: Reads a file; raises ``ValueError``, whose text follows "the file".
    """
    faults = _unknown(environ, names, prefix)
    given = {}
    for name in names:
        if _is_a_linked_port(name, environ):
            continue
        try:
            text = _text(environ, name, contents)
        except _Fault as fault:
            faults.append(Fault(name, str(fault)))
        else:
            if text is not None:
                given[name] = text
    return given, faults


class _Fault(Exception):
    """One sentence about one setting."""


def _unknown(environ: Mapping[str, str], names: Sequence[str], prefix: str) -> list[Fault]:
    known = {*names, *(name + _FILE for name in names)}
    faults = []
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known and not _is_a_service_link(name, environ):
            close = get_close_matches(name, known, n=1, cutoff=0.85)
            hint = f" Did you mean {close[0]}?" if close else ""
            faults.append(Fault(name, f"{name}: there is no such setting.{hint}"))
    return faults


def _is_a_service_link(name: str, environ: Mapping[str, str]) -> bool:
    """Return True if a container platform set it for a service of our name.

    Kubernetes does so after the links of Docker:
    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return bool(_SERVICE_LINK.search(name)) or _is_a_linked_port(name, environ)


def _is_a_linked_port(name: str, environ: Mapping[str, str]) -> bool:
    """Return True for the ``_PORT`` of a service, as of one that is called strongroom-gateway."""
    return name.endswith("_PORT") and bool(_LINKED_ADDRESS.match(environ.get(name, "")))


def _text(environ: Mapping[str, str], name: str, contents: Contents) -> str | None:
    path = environ.get(name + _FILE)
    if path is None:
        text = environ.get(name)
        return None if text is None else text.removesuffix("\r")  # of a file with CRLF
    if name in environ:
        raise _Fault(f"{name}: is given twice, as {name} and as {name + _FILE}.")
    return _text_of(Path(path), name + _FILE, contents)


def _text_of(path: Path, name: str, contents: Contents) -> str:
    try:
        text = contents(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Fault(f"{name}: the file must be UTF-8.") from None
    except ValueError as fault:
        raise _Fault(f"{name}: the file {fault}.") from None
    if "\0" in text:
        raise _Fault(f"{name}: the file must be text.")
    return text.removesuffix("\n").removesuffix("\r")
