"""Admissions: the decision of the API for one request that a gateway asks to carry."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.origins import Endpoint, Origin
from app.domain.gateways.refusals import CredentialNotSendable
from app.domain.redaction import Redacted
from app.domain.secrets import SecretValue

MAX_USES = 1000
"""The number of uses that a gateway may recheck, or end, in one call."""

MAX_HEADER_BYTES = 16 * 1024
"""The size of one header that the gateway sets: servers refuse longer ones."""

_SENDABLE = re.compile("[!-~](?:[ -~]*[!-~])?")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """One request of an agent, as the gateway understood it.

    Attributes:
        token: The gateway token that the agent presented.
        config_id: The config that the URL names.
        path: In canonical form.
        query_names: The names of the parameters in the query.
        address: The client's, if it is known.
    """

    token: Redacted
    config_id: str | None
    method: str
    path: str
    query_names: tuple[str, ...]
    address: str | None
    is_upgrade: bool


class SetHeader(NamedTuple):
    """A header that the gateway sets."""

    name: str
    value: Redacted


@dataclass(frozen=True, slots=True)
class Admitted:
    """The permission to carry one request, with the credential for it.

    Attributes:
        use: Names the row of the use, and its account.
        headers: Take the place of the client's headers of these names.
        needles: Texts to look for in the answer.
        scrub: The answer is searched for them.
        in_flight: The number of requests that the token may have open at once.
        is_strict: Rules judge the path, or a base path fences it.
        is_private: The operator lists private networks for upstreams.
        own: Servers of ours that no request may reach.
    """

    use: str
    origin: Origin
    headers: tuple[SetHeader, ...]
    needles: tuple[Redacted, ...]
    scrub: bool
    in_flight: int
    is_strict: bool
    is_private: bool
    config_id: str
    token_id: str
    own: frozenset[Endpoint]


@dataclass(frozen=True, slots=True)
class UseEnd:
    """The end of a use, as the gateway reports it."""

    use: str
    status: int
    bytes_in: int
    bytes_out: int
    milliseconds: int
    scrub_hits: int


def render(auth: AuthMechanism, value: SecretValue) -> SetHeader:
    """Return the header in which an upstream takes a credential.

    Raises:
        CredentialNotSendable: The value holds what no header can; the error does not repeat it.
    """
    text = value.reveal()
    if auth.type is AuthType.BASIC:
        if _CONTROL.search(text):
            raise CredentialNotSendable
        rendered = f"Basic {base64.b64encode(text.encode()).decode()}"
    else:
        rendered = _sendable(text)
        if auth.type is AuthType.BEARER:
            rendered = f"Bearer {rendered}"
    if len(rendered) > MAX_HEADER_BYTES:
        raise CredentialNotSendable
    return SetHeader(auth.header, Redacted(rendered))


def render_custom(name: str, value: str) -> SetHeader:
    """Return a custom header.

    Raises:
        CredentialNotSendable: The value holds what no header can; the error does not repeat it.
    """
    if len(value) > MAX_HEADER_BYTES:
        raise CredentialNotSendable
    return SetHeader(name, Redacted(_sendable(value)))


def needles_of(auth: AuthMechanism, value: SecretValue) -> Iterator[Redacted]:
    """Yield the texts that show a credential; the gateway knows their encodings.

    Of ``user:password`` the password alone is one, too.
    """
    text = value.reveal()
    yield Redacted(text)
    if auth.type is AuthType.BASIC:
        yield Redacted(base64.b64encode(text.encode()).decode())
        _, has_colon, password = text.partition(":")
        if has_colon and password:
            yield Redacted(password)


def _sendable(text: str) -> str:
    if not _SENDABLE.fullmatch(text):
        raise CredentialNotSendable
    return text
