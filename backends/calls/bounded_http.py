"""JSON over HTTP. Every call ends in time, whatever the other side does.

``requests`` counts its time-outs per read, so a server that drips bytes holds a call for as long as
it likes; here all reads of a response share one. Looking up a host name is the system's and bounded
by its resolver alone. No redirect is followed, nothing is taken from the environment (proxies,
``.netrc``), no cookie is stored.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from backends.calls.bounded_response import bounded_pool
from backends.calls.deadline import Deadline

CONNECT_SECONDS = 1.0

_SECONDS = re.compile(r"[0-9]{1,9}")


class Failure(Enum):
    """Reasons why there was no answer."""

    CONNECTION = "The connection failed."
    TLS = "The TLS connection failed, or its certificate is not signed by a trusted CA."
    TIMEOUT = "It took too long."
    GARBLED = "The answer was cut off or is not JSON."


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request; the body may hold keys and tokens.

    Attributes:
        status: The HTTP status; 0 when none came.
        failure: The reason why there is no body.
        body: The JSON object, empty when there was none. Neither it nor an object in it shows
            its content.
        retry_after: Whole seconds from the header of that name, where it is less than a billion.
    """

    status: int
    failure: Failure | None = None
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    retry_after: int | None = None


class BoundedHttp:
    """A pool of connections to one server, for many threads of one process.

    Args:
        pool_size: The number of connections that stay open.
        ca_file: PEM certificates that alone are trusted; ``None`` for the public ones.
    """

    def __init__(self, pool_size: int, ca_file: str | None = None) -> None:
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=pool_size, max_retries=0)
        pools = {
            "http": bounded_pool(HTTPConnectionPool),
            "https": bounded_pool(HTTPSConnectionPool),
        }
        adapter.poolmanager.pool_classes_by_scheme = pools
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers["Accept-Encoding"] = "identity"
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        self._session = session
        self._verify = ca_file or True

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        deadline: Deadline,
    ) -> Response:
        """Send one request and read the response before ``deadline``; does not raise."""
        remaining = deadline.remaining()
        if not remaining:
            return Response(0, Failure.TIMEOUT)
        timeout = Timeout(total=remaining, connect=min(CONNECT_SECONDS, remaining))
        try:
            response = self._session.request(
                method,
                url,
                headers=dict(headers),
                json=body,
                timeout=timeout,  # type: ignore[arg-type]  # the stubs know no Timeout
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError:
            return Response(0, Failure.TLS)
        except requests.exceptions.ReadTimeout:
            return Response(0, Failure.TIMEOUT)
        except requests.exceptions.ChunkedEncodingError:
            return Response(0, Failure.GARBLED)
        except (OSError, HTTPError):
            return Response(0, Failure.CONNECTION)
        return _parse(response)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Unshown(dict[str, Any]):
    def __repr__(self) -> str:
        return "{<redacted>}"


def _parse(response: requests.Response) -> Response:
    seconds = response.headers.get("Retry-After", "")
    retry_after = int(seconds) if _SECONDS.fullmatch(seconds) else None
    if not response.content:
        return Response(response.status_code, retry_after=retry_after)
    try:
        body = json.loads(response.content, object_hook=_Unshown)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Response(response.status_code, Failure.GARBLED, retry_after=retry_after)
    return Response(response.status_code, body=body, retry_after=retry_after)
