"""The target of a request in the one form that rules judge and that is sent upstream.

A rule is worth nothing if the upstream reads a path otherwise than the rule did. So there is one
canonical form, and a path with two readings is refused and never repaired: dot segments, however
they are encoded, backslashes, control characters, broken escapes. The canonical form differs from
what was sent only as RFC 3986 calls equal: an escape of an unreserved character is that character,
and the digits of other escapes are upper case.

Servers differ about more than that: some decode ``%2F`` before they route, merge empty segments,
or cut off what follows ``;``. Clients need these (npm and GitLab send ``%2f``), so such a path has
a canonical form, and is not *strict*. Where rules judge or a base path fences, only a strict one
may pass.
"""

import re
import string
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_plus, unquote_to_bytes

from app.domain.errors import InvalidRequest

MAX_TARGET_BYTES = 8190
MAX_QUERY_NAMES = 100

_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_PATH = re.compile(r"/[!$-;=@-\[\]_a-z|~^`{}]*")
_QUERY = re.compile(r"[!-\"$-~]*")
_MANY_READINGS = re.compile(r"//|;|%2F|%3B|%3F|%23|%25")
_SEPARATOR = re.compile(r"[/\\]")
_DOTS = frozenset({".", ".."})
_DECODINGS = 3


class AmbiguousPath(InvalidRequest):
    """The target can be read in more than one way, so nobody can judge it."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"The path of the request is not sent on, since it {rule}.")


@dataclass(frozen=True, slots=True)
class Target:
    """A path and a query.

    Attributes:
        path: The canonical form, which begins with ``/``.
        query: What follows the first ``?``, as it was sent; ``None`` if there is no ``?``.
        query_names: The names in the query, decoded, each once.
        is_strict: True if servers agree about the path, so that rules may judge it.
    """

    path: str
    query: str | None = field(repr=False)
    query_names: tuple[str, ...] = field(repr=False)
    is_strict: bool

    @property
    def sent(self) -> str:
        """The path and the query as they stand in a request line."""
        return self.path if self.query is None else f"{self.path}?{self.query}"


def parse_target(raw: str) -> Target:
    """Parse the target of a request in origin form.

    Raises:
        AmbiguousPath: It is too long, or servers would disagree on which path it names.
    """
    if len(raw) > MAX_TARGET_BYTES:
        raise AmbiguousPath(f"is longer than {MAX_TARGET_BYTES} bytes")
    raw_path, has_query, query = raw.partition("?")
    path = _canonical(raw_path)
    if not _QUERY.fullmatch(query):
        raise AmbiguousPath("has a query with characters that must be escaped")
    return Target(path, query if has_query else None, _names(query), _is_strict(path))


def _is_strict(path: str) -> bool:
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:  # as overlong forms of / are
        return False
    return not _MANY_READINGS.search(path)


def _canonical(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise AmbiguousPath("does not begin with / or holds characters that must be escaped")
    if _BROKEN_ESCAPE.search(path):
        raise AmbiguousPath("holds a % that begins no escape")
    if _has_control_or_dots(path):
        raise AmbiguousPath("holds a dot segment, a backslash or a control character")
    return _ESCAPE.sub(_plain, path)


def _plain(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _has_control_or_dots(path: str) -> bool:
    """Look at what a server sees that decodes once, twice or three times before it routes."""
    for _ in range(_DECODINGS):
        path = unquote(path, errors="replace")
        if any(character < " " or character in "\x7f\\" for character in path):
            return True
        if any(each.partition(";")[0].strip() in _DOTS for each in _SEPARATOR.split(path)):
            return True
    return False


def _names(query: str) -> tuple[str, ...]:
    """List the names as a server may read them: ``;`` separates for some, too."""
    pairs = re.split("[&;]", query) if query else []
    if len(pairs) > MAX_QUERY_NAMES:
        raise AmbiguousPath(f"has more than {MAX_QUERY_NAMES} fields in its query")
    names = (unquote_plus(each.partition("=")[0], errors="replace") for each in pairs)
    return tuple(dict.fromkeys(name for name in names if name))
