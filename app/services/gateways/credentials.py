"""The credential of one request: the current values of its secrets, as headers and as needles."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.crypto.values import open_value
from app.domain.data_keys import DataKeyRow
from app.domain.errors import TamperedRow
from app.domain.gateways.admissions import SetHeader, needles_of, render, render_custom
from app.domain.gateways.refusals import SecretGone
from app.domain.redaction import Redacted
from app.domain.secrets import SecretIdentity, SecretValue
from app.repository.base import Repository
from app.repository.collections.secrets import SealedSecrets
from app.services.gateways.grants import Grant
from app.services.keys.data_keys import DataKeys

# Padding at most doubles a value of 64 KiB; a token has one secret, and eight custom headers.
_MAX_SEALED_BYTES = 9 * (2 * 65536 + 512)


@dataclass(frozen=True, slots=True)
class Credential:
    """The headers that the gateway sets, and the texts that it looks for in the answer."""

    headers: tuple[SetHeader, ...]
    needles: tuple[Redacted, ...]


@dataclass(frozen=True, slots=True)
class ClosedCredential:
    """The sealed secrets of a request."""

    grant: Grant
    sealed: SealedSecrets


def read_credential(repository: Repository, grant: Grant) -> ClosedCredential:
    """Read the sealed secrets of a grant; none is opened yet.

    Raises:
        SecretGone: One was deleted.
        TamperedRow: One is another secret than the one that was named.
    """
    wanted = dict(_names(grant))
    account_id = grant.token.account_id
    sealed = repository.secrets.sealed(account_id, sorted(wanted), _MAX_SEALED_BYTES)
    if sealed is None or {each.id for each in sealed.secrets} != set(wanted):
        raise SecretGone
    for secret in sealed.secrets:
        if secret.name != wanted[secret.id]:
            raise TamperedRow(SecretIdentity.table, account_id, secret.id)
    return ClosedCredential(grant, sealed)


def open_credential(data_keys: DataKeys, closed: ClosedCredential) -> Credential:
    """Open the secrets, through a key provider if need be.

    Raises:
        CredentialNotSendable: A value holds what no header can.
        KeyProviderError: A data key could not be opened.
        TamperedRow: A row is not what the server wrote.
    """
    grant = closed.grant
    values = _values(data_keys, closed)
    auth, value = grant.config.auth, values[grant.token.secret_id]
    headers = [render(auth, value)]
    needles = [*needles_of(auth, value)]
    for header in grant.config.headers:
        if header.secret_id is None:
            headers.append(render_custom(header.name, header.value or ""))
        else:
            text = values[header.secret_id].reveal()
            headers.append(render_custom(header.name, text))
            needles.append(Redacted(text))
    return Credential(tuple(headers), tuple(needles))


def _names(grant: Grant) -> Sequence[tuple[str, str]]:
    """Return the id and the name of each secret that the request needs."""
    custom = [
        (header.secret_id, header.secret_name or "")
        for header in grant.config.headers
        if header.secret_id is not None
    ]
    return [(grant.token.secret_id, grant.token.secret_name), *custom]


def _values(data_keys: DataKeys, closed: ClosedCredential) -> dict[str, SecretValue]:
    values: dict[str, SecretValue] = {}
    for stored in closed.sealed.data_keys:
        with data_keys.open(stored, closed.grant.token.account_id) as data_key:
            for secret in closed.sealed.secrets:
                if secret.data_key_id == data_key.context.data_key_id:
                    values[secret.id] = open_value(data_key, secret)
    if len(values) != len(closed.sealed.secrets):
        raise TamperedRow(DataKeyRow.table)
    return values
