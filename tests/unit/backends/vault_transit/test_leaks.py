"""Keys, tokens and credentials reach no log and no traceback, whatever fails."""

import base64
import logging
import traceback
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest

from backends.calls.bounded_http import BoundedHttp, Response
from backends.data_key import DataKey
from backends.errors import KeyProviderError
from backends.provider import WrappedKey
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import Fault, FaultyProxy, answer, reset, truncate
from tests.support.openbao import OpenBao
from tests.unit.backends.vault_transit.vault import CALLS, CONTEXT, Vault

KEY = DataKey(b"canary-of-a-data-key-in-memory!!")
ENCODED = base64.b64encode(KEY).decode()
VENDOR = "canary-of-vault"
FAULTS = {
    "reset": reset,
    "cut off": truncate(300),
    "not JSON": answer(200, ENCODED.encode()),
    "short data key": answer(
        200,
        {
            "data": {
                "plaintext": base64.b64encode(KEY[:31]).decode(),
                "ciphertext": "vault:v1:" + "A" * 80,
            }
        },
    ),
    "odd data key": answer(200, {"data": {"plaintext": ENCODED + "!"}}),
    "odd ciphertext": answer(200, {"data": {"plaintext": ENCODED, "ciphertext": VENDOR}}),
    "chatty refusal": answer(400, {"errors": [VENDOR]}),
    "chatty denial": answer(403, {"errors": [VENDOR]}),
    "chatty failure": answer(500, {"errors": [VENDOR]}),
    "odd login": answer(200, {"auth": {"client_token": "canary of a token"}}),
}


@pytest.fixture(autouse=True)
def loud(caplog: pytest.LogCaptureFixture) -> None:
    """Everything logs all that it can; other providers' loggers may have been silenced."""
    for name in ("", "urllib3", "requests", "hvac"):
        caplog.set_level(logging.DEBUG, name)


@pytest.fixture
def sent() -> Iterator[set[str]]:
    """Every token, and everything in a login, that is sent."""
    secrets: set[str] = set()
    exchange = BoundedHttp.exchange

    def spy(
        self: BoundedHttp, method: str, url: str, headers: dict[str, str], body: Any, *rest: Any
    ) -> Response:
        secrets.add(headers.get("X-Vault-Token", ""))
        if "/auth/" in url:
            secrets.update((body or {}).values())
        return exchange(self, method, url, headers, body, *rest)

    with patch.object(BoundedHttp, "exchange", spy):
        yield secrets


@pytest.fixture
def provider(vault: Vault, app_roles: OpenBao, proxy: FaultyProxy) -> VaultTransit:
    return vault.provider(vault.app_role(), host=proxy.host)


def errors_of_every_call(provider: VaultTransit, wrapped: WrappedKey) -> list[KeyProviderError]:
    errors = []
    for call in CALLS.values():
        try:
            call(provider, KEY, wrapped)
        except KeyProviderError as error:
            errors.append(error)
    answers = provider.wrap_many([(KEY, CONTEXT)]) + provider.rewrap_many([(wrapped, CONTEXT)])
    return errors + [each for each in answers if isinstance(each, KeyProviderError)]


def told_by(error: BaseException | None) -> str:
    """The traceback of an error and its causes, with local variables."""
    text = ""
    while error is not None:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        text += "".join(shown.format(chain=False))
        error = error.__context__
    return text


def forms(secret: bytes) -> set[str]:
    """The forms of a secret in a text."""
    encoded = base64.b64encode(secret).decode()
    return {secret.decode("latin-1"), repr(secret)[2:-1], secret.hex(), encoded, quote(encoded, "")}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("moment", ["at the login", "afterwards"])
def test_a_failure_tells_no_secret_and_nothing_of_vaults(
    vault: Vault,
    provider: VaultTransit,
    proxy: FaultyProxy,
    sent: set[str],
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    moment: str,
) -> None:
    wrapped = vault.provider().wrap(KEY, CONTEXT)
    if moment == "afterwards":
        assert provider.status().healthy
    with proxy.failing(fault):
        errors = errors_of_every_call(provider, wrapped)
        status = repr(provider.status())
    text = caplog.text + status + "".join(told_by(each) for each in errors)
    tokens = [form for secret in sent - {""} for form in forms(secret.encode())]
    hidden = [VENDOR, "canary of a token", ENCODED[:40], *forms(bytes(KEY)), *tokens]
    assert [each for each in hidden if each in text] == []


def test_success_at_debug_tells_no_secret(
    provider: VaultTransit, sent: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    made, wrapped = provider.generate(CONTEXT)
    provider.wrap(KEY, CONTEXT)
    provider.unwrap(wrapped, CONTEXT)
    provider.wrap_many([(KEY, CONTEXT)])
    provider.rewrap_many([(wrapped, CONTEXT)])
    hidden = forms(bytes(made)) | forms(bytes(KEY))
    hidden |= {form for secret in sent - {""} for form in forms(secret.encode())}
    assert "POST /v1/transit/decrypt" in caplog.text
    assert [each for each in hidden if each in caplog.text] == []


def test_nothing_of_a_provider_prints_its_token(provider: VaultTransit, sent: set[str]) -> None:
    assert provider.status().healthy
    lease = provider._vault.get()._keeper._lease
    assert lease is not None
    assert lease.token in sent
    assert lease.token not in f"{lease!r} {provider!r} {provider._settings!r}"
