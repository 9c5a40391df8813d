"""The listener on which gateways ask for admissions: one Unix socket, and its peers by user.

Admissions hand out values, so nothing but a gateway may reach them. The kernel states two things
that no client can forge: the listener on which a connection was accepted, and the user of the
process at its other end. Both are noted for each request here; ``app.api.http.admission`` finds a
route either on this listener or on the others, never on both.
"""

import os
import socket
import struct
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from app.api.http.admission import ADMISSION_LISTENER
from config.gateway_settings import GatewaySettings, gateway_account

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PEER = struct.Struct("3i")  # struct ucred: process, user, group; unix(7)


class AdmissionListener:
    """A WSGI application that notes which requests came over the admission socket.

    Args:
        path: The path of the socket.
        users: The ids of the users whose processes may ask.
    """

    def __init__(self, application: "WSGIApplication", path: str, users: Collection[int]) -> None:
        self._application = application
        self._path = path
        self._users = users

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Pass the request on."""
        connection: socket.socket | None = environ.get("gunicorn.socket")
        if connection is not None and self._is_here(connection):
            environ[ADMISSION_LISTENER] = _user_of_peer(connection) in self._users
        return self._application(environ, start_response)

    def _is_here(self, connection: socket.socket) -> bool:
        return connection.family == socket.AF_UNIX and connection.getsockname() == self._path


def gateway_users(settings: GatewaySettings) -> frozenset[int]:
    """Return the ids of the users that a gateway may run as: ours, and the one that is set."""
    account = gateway_account(settings)
    others = () if account is None else (account.user,)
    return frozenset({os.geteuid(), *others})


def _user_of_peer(connection: socket.socket) -> int | None:
    """Return the user of the process that connected; ``None`` where the system cannot say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(found)[1])
