"""A real PostgreSQL server as an operator runs it: TLS, SCRAM, and roles with few rights."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.support.certificates import make_certificate
from tests.support.postgresql import PostgresqlServer, postgresql_server

PASSWORD = "canary-pa55"

# Tests act as the superuser without a password; everybody else needs TLS and SCRAM.
_HBA = """\
host all postgres 127.0.0.1/32 trust
hostssl all asked_in_clear 127.0.0.1/32 password
hostssl all all 127.0.0.1/32 scram-sha-256
"""
_NOBODY = 65534


@dataclass(frozen=True)
class SecureServer:
    """A server whose certificate is for ``127.0.0.1``.

    Attributes:
        server: Spoken to as its superuser.
        ca_file: The authority that signed its certificate.
        other_ca_file: One that did not.
    """

    server: PostgresqlServer
    ca_file: Path
    other_ca_file: Path

    def url(
        self,
        database: str,
        user: str,
        password: str | None = PASSWORD,
        host: str = "127.0.0.1",
        **parameters: object,
    ) -> str:
        """The address of a database, verified unless a parameter says otherwise."""
        login = user if password is None else f"{user}:{quote(password)}"
        given = {"sslmode": "verify-full", "sslrootcert": self.ca_file, **parameters}
        return f"postgresql://{login}@{host}:{self.server.port}/{database}?{urlencode(given)}"

    def create_role(self, name: str, attributes: str = "LOGIN") -> None:
        """Make a role with the password of all."""
        self.server.execute(f"CREATE ROLE {name} {attributes} PASSWORD '{PASSWORD}'")


@contextmanager
def secure_postgresql_server(*settings: str) -> Iterator[SecureServer]:
    """Start a server for the time of a ``with`` block.

    Args:
        settings: ``name=value``, for ``postgres -c``.
    """
    directory = Path(tempfile.mkdtemp(prefix="strongroom-tls-"))
    try:
        directory.chmod(0o755)
        (directory / "other").mkdir()
        certificate = make_certificate(directory, "127.0.0.1")
        other = make_certificate(directory / "other", "127.0.0.1")
        hba = directory / "pg_hba.conf"
        hba.write_text(_HBA)
        certificate.key_file.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(certificate.key_file, _NOBODY, _NOBODY)
        tls = (
            "ssl=on",
            f"ssl_cert_file={certificate.file}",
            f"ssl_key_file={certificate.key_file}",
            f"hba_file={hba}",
            "password_encryption=scram-sha-256",
        )
        with postgresql_server(*tls, *settings) as server:
            yield SecureServer(server, certificate.ca_file, other.ca_file)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
