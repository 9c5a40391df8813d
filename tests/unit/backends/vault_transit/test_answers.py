"""Responses of Vault are understood in every form, and never trusted blindly."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from backends.errors import (
    DecryptionError,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.provider import WrappedKey
from backends.vault_transit.provider import VaultTransit
from tests.support.faulty_proxy import FaultyProxy, answer, reset
from tests.unit.backends.vault_transit.vault import CALLS, CONTEXT, Call, Vault

TAMPERED = "cipher: message authentication failed"
CIPHERTEXT = "vault:v1:" + "A" * 80


@pytest.fixture
def provider(vault: Vault, proxy: FaultyProxy) -> VaultTransit:
    """A provider behind the proxy that has logged in and knows its key."""
    provider = vault.provider(host=proxy.host)
    assert provider.status().healthy
    return provider


@pytest.fixture
def wrapped(provider: VaultTransit) -> WrappedKey:
    return provider.generate(CONTEXT)[1]


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (TAMPERED, DecryptionError),
        ("invalid ciphertext: no prefix", DecryptionError),
        ("invalid ciphertext: version is too new", UnknownKey),
        ("invalid ciphertext: could not decode base64", DecryptionError),
        ("invalid ciphertext length", DecryptionError),
        ("ciphertext or signature version is disallowed by policy (too old)", KeyDisabled),
        ("refusing to use soft-deleted key", KeyDisabled),
        ("encryption key not found", UnknownKey),
    ],
)
def test_vaults_text_decides_whichever_status_it_comes_with(
    provider: VaultTransit,
    wrapped: WrappedKey,
    proxy: FaultyProxy,
    asked: list[str],
    status: int,
    text: str,
    error: type[KeyProviderError],
) -> None:
    with proxy.failing(answer(status, {"errors": [text]})), pytest.raises(error):
        provider.unwrap(wrapped, CONTEXT)
    assert len(asked) == 1


def test_a_refusal_that_is_not_known_is_no_outage_and_not_repeated(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, asked: list[str]
) -> None:
    with proxy.failing(answer(400, {"errors": ["no"]})), pytest.raises(KeyProviderError) as caught:
        provider.unwrap(wrapped, CONTEXT)
    assert (type(caught.value), len(asked)) == (KeyProviderError, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"errors": ["missing 'context' for key derivation"]},
        {"errors": "no list"},
        {"errors": [None, {"a": 1}]},
        {"errors": []},
        {},
    ],
)
def test_any_shape_of_error_is_an_error_of_ours(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, body: dict[str, Any]
) -> None:
    with proxy.failing(answer(400, body)), pytest.raises(KeyProviderError):
        provider.unwrap(wrapped, CONTEXT)


@pytest.mark.parametrize("status", [412, 500, 502, 503, 504])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_one_failure_of_vault_is_not_noticed(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, status: int, call: Call
) -> None:
    key = provider.unwrap(wrapped, CONTEXT)
    with proxy.failing(answer(status, {"errors": ["down"]}, Connection="close"), times=1):
        assert call(provider, key, wrapped)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_one_broken_connection_is_not_noticed(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, call: Call
) -> None:
    key = provider.unwrap(wrapped, CONTEXT)
    with proxy.failing(reset, times=1):
        assert call(provider, key, wrapped)


def test_vault_says_when_to_come_back(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy
) -> None:
    busy = answer(429, {"errors": ["quota"]}, **{"Retry-After": "17"})
    with proxy.failing(busy), pytest.raises(KeyUnavailable) as caught:
        provider.unwrap(wrapped, CONTEXT)
    assert caught.value.retry_after == 17


@pytest.mark.parametrize(("status", "throttled"), [(429, True), (503, False)])
def test_throttling_is_told_from_an_outage(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, status: int, throttled: bool
) -> None:
    with proxy.failing(answer(status, {"errors": []})), pytest.raises(KeyUnavailable) as caught:
        provider.unwrap(wrapped, CONTEXT)
    assert caught.value.throttled == throttled


def test_a_redirect_is_not_followed(
    vault: Vault, provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, asked: list[str]
) -> None:
    elsewhere = f"{vault.server.address}/v1/transit/decrypt/{vault.key}"
    with proxy.failing(answer(307, {}, Location=elsewhere)), pytest.raises(KeyUnavailable):
        provider.unwrap(wrapped, CONTEXT)
    assert len(asked) == 1


@pytest.mark.parametrize("seconds", [-1, 1.5, None, "60", 10**10, pytest.param(10**400, id="huge")])
def test_a_token_whose_life_makes_no_sense_is_not_used(
    vault: Vault, proxy: FaultyProxy, seconds: object
) -> None:
    files = [vault.secret(name, "any") for name in ("role-id", "secret-id")]
    query = "role_id_file={}&secret_id_file={}".format(*files)
    auth = {"client_token": "any", "lease_duration": seconds, "renewable": True}
    with proxy.failing(answer(200, {"auth": auth})), pytest.raises(KeyUnavailable, match="form"):
        vault.provider(query, host=proxy.host).generate(CONTEXT)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_new_data_key_of_another_length_is_refused(
    provider: VaultTransit, proxy: FaultyProxy, length: int
) -> None:
    data = {"ciphertext": CIPHERTEXT, "plaintext": base64.b64encode(bytes(length)).decode()}
    with proxy.failing(answer(200, {"data": data})), pytest.raises(KeyUnavailable):
        provider.generate(CONTEXT)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_an_opened_data_key_of_another_length_is_a_fault_of_vault(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, length: int
) -> None:
    data = {"plaintext": base64.b64encode(bytes(length)).decode()}
    with proxy.failing(answer(200, {"data": data})), pytest.raises(KeyUnavailable):
        provider.unwrap(wrapped, CONTEXT)


@pytest.mark.parametrize("plaintext", [None, 7, [], "\u00e9", "====", "A", {"a": "b"}])
def test_a_plaintext_that_is_no_base64_is_refused(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, plaintext: object
) -> None:
    data = {"plaintext": plaintext}
    with proxy.failing(answer(200, {"data": data})), pytest.raises(KeyUnavailable):
        provider.unwrap(wrapped, CONTEXT)


@pytest.mark.parametrize(
    "ciphertext",
    [
        None,
        7,
        "",
        "vault:v1:",
        "vault:v0:" + "A" * 80,
        "vault:v01:" + "A" * 80,
        "vault:v12345678901:" + "A" * 80,
        "vault:v1:" + "A" * 79,
        "vault:v1:" + "A" * 2000,
        "vault:v1:" + "A" * 78 + "B=",
        CIPHERTEXT + "\n",
        "kms:v1:" + "A" * 80,
    ],
)
@pytest.mark.parametrize("call", ["generate", "wrap", "rewrap"])
def test_a_ciphertext_of_another_form_is_not_stored(
    provider: VaultTransit, wrapped: WrappedKey, proxy: FaultyProxy, call: str, ciphertext: object
) -> None:
    key = provider.unwrap(wrapped, CONTEXT)
    data = {"ciphertext": ciphertext, "plaintext": base64.b64encode(bytes(32)).decode()}
    with proxy.failing(answer(200, {"data": data})), pytest.raises(KeyUnavailable):
        CALLS[call](provider, key, wrapped)


def test_a_wrapping_that_names_another_version_than_its_ciphertext_is_refused(
    vault: Vault, provider: VaultTransit, wrapped: WrappedKey, asked: list[str]
) -> None:
    vault.rotate()
    relabelled = replace(wrapped, key_ref=wrapped.key_ref[:-1] + "2")
    asked.clear()
    with pytest.raises(DecryptionError):
        provider.unwrap(relabelled, CONTEXT)
    assert asked == []
