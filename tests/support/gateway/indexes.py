"""Indexes of packages with one package, ``parcel`` 1.2.3."""

import io
import json
import zipfile

from tests.support.gateway.recorder import Answer, Connection, Received, response

_INFO = "parcel-1.2.3.dist-info"
_WHEEL_FILE = "parcel-1.2.3-py3-none-any.whl"


def npm_registry() -> Answer:
    """An index of npm."""
    version = {"name": "parcel", "version": "1.2.3", "dist": {"tarball": "https://x.example/a"}}
    page = {"name": "parcel", "dist-tags": {"latest": "1.2.3"}, "versions": {"1.2.3": version}}

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(response(json.dumps(page).encode()))

    return answer


def python_index() -> Answer:
    """An index of Python, whose links are relative."""
    wheel = _wheel()

    async def answer(connection: Connection, received: Received) -> None:
        if received.target.endswith(".whl"):
            await connection.send(response(wheel, "application/zip"))
        else:
            page = f"<a href='../../files/{_WHEEL_FILE}'>parcel</a>".encode()
            await connection.send(response(page, "text/html"))

    return answer


def _wheel() -> bytes:
    """A wheel of a package without code."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        metadata = "Metadata-Version: 2.1\nName: parcel\nVersion: 1.2.3\n"
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{_INFO}/METADATA", metadata)
        archive.writestr(f"{_INFO}/WHEEL", wheel)
        archive.writestr(f"{_INFO}/RECORD", "")
    return made.getvalue()
