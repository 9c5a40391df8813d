"""Masking leaves ordinary output as it is, beside values as people have them."""

import json
import random
import sysconfig
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from app.masking.masker import Masker
from app.masking.search import ValueSearch

_PIECE_BYTES = 1 << 16
_SYMBOLS = "!#$%&*+-./:=?@^_~"
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def realistic_values() -> list[str]:
    """50 values: passwords of 8 characters, tokens, URLs, connection strings, PEM and JSON."""
    source = random.Random(14)

    def letters(count: int, alphabet: str = _LETTERS) -> str:
        return "".join(source.choices(alphabet, k=count))

    def key() -> str:
        text = b64encode(source.randbytes(610)).decode()
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])

    return [
        *(letters(8, _LETTERS + _SYMBOLS) for _ in range(12)),
        *(letters(8) for _ in range(8)),
        *(f"sk-{letters(40)}" for _ in range(5)),
        *(b64encode(source.randbytes(32)).decode() for _ in range(5)),
        *(f"postgres://app:{letters(12)}@db-{n}.internal:5432/app" for n in range(5)),
        *(f"Server=db{n};User Id=sa;Password={letters(10)};" for n in range(5)),
        *(key() for _ in range(5)),
        *(json.dumps({"user": f"u{n}", "password": letters(16)}) for n in range(3)),
        *(json.dumps({"type": "rsa", "private_key": key()}, indent=2) for _ in range(2)),
    ]


def ordinary_output(size: int) -> Iterator[bytes]:
    """Yield about ``size`` bytes: a third JSON log lines, the rest what packages are made of.

    Their sources, metadata and licences have the words, paths, hashes and escapes of build logs.
    """
    yield from _log_lines(size // 3)
    written = size // 3
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*")):
        if written >= size:
            return
        if path.is_file() and path.suffix not in {".so", ".pyc", ".exe"}:
            content = path.read_bytes()
            written += len(content)
            yield content


def _log_lines(size: int) -> Iterator[bytes]:
    source, written = random.Random(15), 0
    while written < size:
        line = {
            "time": f"2026-11-26T{source.randrange(24):02}:{source.randrange(60):02}:00.000Z",
            "level": source.choice(["info", "warning"]),
            "event": source.choice(["request", "redemption", "rewrap"]),
            "path": f"/v1/secrets/{source.randbytes(8).hex()}?name=%2Fa%20b",
            "message": f'served "{source.randrange(500)}" in {source.random():.3f} s\n\u00e9\\',
            "id": b64encode(source.randbytes(15)).decode(),
        }
        text = "".join(json.dumps({**line, "n": n}) + "\n" for n in range(20)).encode()
        written += len(text)
        yield text


def test_ordinary_output_shows_no_mask(proving: bool) -> None:
    masker = Masker(ValueSearch(realistic_values()))
    for content in ordinary_output(100_000_000 if proving else 4_000_000):
        for at in range(0, len(content), _PIECE_BYTES):
            piece = content[at : at + _PIECE_BYTES]
            shown = masker.feed(piece) + masker.release()
            assert b"[masked]" not in shown or b"[masked]" in piece
