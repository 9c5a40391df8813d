"""A resolver that does not know a host."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def unknown(host: str) -> Iterator[None]:
    """Let the name be unknown to this process, at once and whatever the machine's resolver does."""
    resolve = socket.getaddrinfo

    def refuse(name: object, *rest: Any, **options: Any) -> Any:
        if name == host:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(name, *rest, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", refuse)
        yield
