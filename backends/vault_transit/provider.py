"""Data keys wrapped by a transit key of HashiCorp Vault or OpenBao: ``vault-transit:https://…``.

The key must be made with ``derived=true``: the context then derives the key that wraps, and
``rewrap`` takes it. (``associated_data`` would bind a context too, but ``rewrap`` refuses it.) The
least that a token must be allowed is in ``docs/keys/vault-transit.md``; a test holds it to that.
"""

import base64
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from hvac.api.auth_methods import AppRole as AppRoleApi
from hvac.api.auth_methods import Kubernetes as KubernetesApi
from hvac.api.auth_methods import Token as TokenApi
from hvac.api.secrets_engines import Transit

from backends.calls.batches import in_batches
from backends.calls.bounded_http import Answer, BoundedHttp
from backends.calls.deadline import Deadline
from backends.calls.per_process import PerProcess
from backends.calls.request_deadline import seconds_left
from backends.context import KeyContext
from backends.data_key import DATA_KEY_BYTES, DataKey
from backends.errors import (
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderConfigError,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.lifetime import age_seconds
from backends.provider import (
    KeyItems,
    KeyProvider,
    ProviderStatus,
    WrappedItems,
    WrappedKey,
    or_error,
)
from backends.provider_uri import ProviderSpec
from backends.vault_transit.caller import VaultCaller
from backends.vault_transit.login import Lease, TokenKeeper, TokenSource
from backends.vault_transit.responses import (
    VERSION,
    batch_results,
    ciphertext_of,
    ciphertext_version,
    error_of,
    part_of,
    plaintext_of,
    unintelligible,
)
from backends.vault_transit.settings import AppRole, TokenFile, VaultSettings, parse_settings

CALL_SECONDS = 2.8  # less than the keyring's 3, so that what failed is said in our words
LARGEST_BATCH = 200  # OpenBao refuses JSON of 250 items with a context as too complex

_KEY_CHECK_SECONDS = 60.0
_LONGEST_LIFE_SECONDS = 2**63 // 10**9  # Go's time.Duration, in which Vault counts, holds no more
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")

Request = Callable[[Transit, Mapping[str, str]], Answer]
"""Makes one request of a transit key; the mapping names the key and its mount, as hvac does."""
Inputs = list[dict[str, str]]
BatchRequest = Callable[[Inputs, Transit, Mapping[str, str]], Answer]
"""The same with a batch."""
T = TypeVar("T")


class VaultTransit(KeyProvider):
    """Wraps under the newest version of one transit key.

    Every call ends within ``CALL_SECONDS``, logging in and retries included.
    """

    scheme = "vault-transit"

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._key_ref = re.compile(rf"{re.escape(settings.key_name)}:v(?P<version>{VERSION})")
        self._vault = PerProcess(lambda: _Vault(settings))

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        """Wrap by ``encrypt``."""
        data = self._vault.get().ask(
            lambda transit, at: transit.encrypt_data(
                plaintext=base64.b64encode(key).decode(), context=_encoded(context), **at
            )
        )
        return self._wrapped(data)

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        """Wrap ``LARGEST_BATCH`` items a call."""
        return in_batches(items, LARGEST_BATCH, self._wrap_batch, self.wrap)

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        """Make the key and its wrapping in one call, ``datakey/plaintext``."""
        answer = self._vault.get().ask(
            lambda transit, at: transit.generate_data_key(
                key_type="plaintext", bits=DATA_KEY_BYTES * 8, context=_encoded(context), **at
            )
        )
        wrapped = self._wrapped(answer)
        return plaintext_of(answer), wrapped

    def status(self) -> ProviderStatus:
        """Read the key: one call."""
        try:
            version = self._vault.get().newest_version()
        except KeyProviderError as error:
            return ProviderStatus(healthy=False, key_ref=None, detail=self._detail(error))
        return ProviderStatus(healthy=True, key_ref=self._ref(version))

    def owns(self, key_ref: str) -> bool:
        """Whether it names a version of this key in this Vault."""
        return bool(self._key_ref.fullmatch(key_ref))

    def root_of(self, key_ref: str) -> str:
        """This key without the version."""
        return self._settings.key_name if self.owns(key_ref) else key_ref

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        """Open by ``decrypt``."""
        ciphertext = self._ciphertext(wrapped)
        data = self._vault.get().ask(
            lambda transit, at: transit.decrypt_data(
                ciphertext=ciphertext, context=_encoded(context), **at
            )
        )
        return plaintext_of(data)

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        """Rewrap by ``rewrap``: the data key does not leave Vault."""
        ciphertext = self._ciphertext(wrapped)
        data = self._vault.get().ask(
            lambda transit, at: transit.rewrap_data(
                ciphertext=ciphertext, context=_encoded(context), **at
            )
        )
        return self._wrapped(data)

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        """Rewrap as many a call."""
        ask = partial(self._batch, _rewrap_batch, self._wrapped)
        return in_batches(items, LARGEST_BATCH, ask, self.rewrap)

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        """Unwrap as many a call."""
        ask = partial(self._batch, _decrypt_batch, plaintext_of)
        return in_batches(items, LARGEST_BATCH, ask, self.unwrap)

    def prepare(self, seconds: float) -> bool:
        """Log in ahead."""
        return self._vault.get().prepare(seconds)

    def close(self) -> None:
        """Close this process's connections and stop renewing its token."""
        vault = self._vault.forget()
        if vault is not None:
            vault.close()

    def _detail(self, error: KeyProviderError) -> str:
        """What went wrong, with the setting in front, for there may be several Vaults."""
        setting = f"{self._settings.setting}: "
        return setting + str(error).removeprefix(setting)

    def _wrap_batch(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        results = self._vault.get().ask_many(partial(_encrypt_batch, items), len(items))
        return [_read(result, self._wrapped) for result in results]

    def _batch(
        self, request: BatchRequest, read: Callable[[Mapping[str, Any]], T], items: WrappedItems
    ) -> list[T | KeyProviderError]:
        texts = [or_error(partial(self._ciphertext, wrapped)) for wrapped, _ in items]
        inputs = [
            {"ciphertext": text, "context": _encoded(context)}
            for text, (_, context) in zip(texts, items, strict=True)
            if isinstance(text, str)
        ]
        if not inputs:
            return [text for text in texts if not isinstance(text, str)]
        asking = partial(request, inputs)
        results = iter(self._vault.get().ask_many(asking, len(inputs)))
        return [_read(next(results), read) if isinstance(text, str) else text for text in texts]

    def _wrapped(self, data: Mapping[str, Any]) -> WrappedKey:
        version, blob = ciphertext_of(data)
        return WrappedKey(self.scheme, self._ref(version), blob)

    def _ref(self, version: str) -> str:
        return f"{self._settings.key_name}:v{version}"

    def _ciphertext(self, wrapped: WrappedKey) -> str:
        named = self._key_ref.fullmatch(wrapped.key_ref)
        if named is None:
            raise UnknownKey("This Vault key did not make this wrapping.")
        if ciphertext_version(wrapped.blob) != named["version"]:
            raise DecryptionError
        return wrapped.blob.decode()


def from_spec(spec: ProviderSpec) -> VaultTransit:
    """The provider of the key at the URI's address; asks no network.

    Raises:
        KeyProviderConfigError: The URI or a file that it names is wrong; names the setting.
    """
    return VaultTransit(parse_settings(spec))


def _encrypt_batch(items: KeyItems, transit: Transit, at: Mapping[str, str]) -> Answer:
    # The plaintexts are put together here, in a frame that no error leaves.
    inputs = [
        {"plaintext": base64.b64encode(key).decode(), "context": _encoded(context)}
        for key, context in items
    ]
    answer: Answer = transit.encrypt_data(batch_input=inputs, **at)
    return answer


def _rewrap_batch(inputs: Inputs, transit: Transit, at: Mapping[str, str]) -> Answer:
    answer: Answer = transit.rewrap_data(ciphertext="", batch_input=inputs, **at)
    return answer


def _decrypt_batch(inputs: Inputs, transit: Transit, at: Mapping[str, str]) -> Answer:
    answer: Answer = transit.decrypt_data(batch_input=inputs, **at)
    return answer


def _read(
    result: Mapping[str, Any] | KeyProviderError, read: Callable[[Mapping[str, Any]], T]
) -> T | KeyProviderError:
    return result if isinstance(result, KeyProviderError) else or_error(partial(read, result))


def _encoded(context: KeyContext) -> str:
    return base64.b64encode(context.to_bytes()).decode()


class _Vault:
    """One process's connections to a Vault, its token, and what it knows of the key."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._http = BoundedHttp(settings.pool_size, settings.ca_file)
        self._keeper = TokenKeeper(_Logins(settings, self._http))
        self._at = {"name": settings.key, "mount_point": settings.mount}
        self._checked_until = 0.0

    def ask(self, request: Request) -> Mapping[str, Any]:
        """Make one request of a key that is fit for it.

        Raises:
            KeyProviderError: In our words, whatever Vault says.
        """
        return part_of(self._checked_answer(request), "data")

    def ask_many(self, request: Request, count: int) -> list[Mapping[str, Any] | KeyProviderError]:
        """Make one request with a batch of ``count`` items.

        Raises:
            KeyProviderError: The batch was refused as a whole.
        """
        return batch_results(self._checked_answer(request), count)

    def newest_version(self) -> str:
        """Read the key; its newest version.

        Raises:
            KeyProviderError: There is none, or it cannot serve.
        """
        return self._read_key(Deadline(seconds_left(CALL_SECONDS)))

    def prepare(self, seconds: float) -> bool:
        """Log in where there is no token. Returns whether there is one after so long."""
        return self._keeper.prepare(Deadline(seconds))

    def close(self) -> None:
        """Let go of connections and the thread."""
        self._keeper.close()
        self._http.close()

    def _checked_answer(self, request: Request) -> Answer:
        deadline = Deadline(seconds_left(CALL_SECONDS))
        # Encrypting under a key that does not exist creates it, and one that is not derived
        # ignores the context: neither may happen to a key that was put in place of ours.
        if age_seconds() >= self._checked_until:
            self._read_key(deadline)
        answer = self._answer(request, deadline)
        if isinstance(error_of(answer), KeyAccessDenied):
            self._read_key(deadline)  # it may be gone: encrypting then needs the right to create
        return answer

    def _read_key(self, deadline: Deadline) -> str:
        self._checked_until = 0.0
        answer = self._answer(lambda transit, at: transit.read_key(**at), deadline)
        key = part_of(answer, "data")
        if key.get("derived") is not True or key.get("supports_encryption") is not True:
            raise KeyProviderConfigError(
                f"{self._settings.setting}: the transit key must be of a type that encrypts, and"
                " made with derived=true."
            )
        if key.get("soft_deleted"):
            raise KeyDisabled("The transit key is soft-deleted.")
        version = str(key.get("latest_version"))
        if not re.fullmatch(VERSION, version):
            raise unintelligible()
        self._checked_until = age_seconds() + _KEY_CHECK_SECONDS
        return version

    def _answer(self, request: Request, deadline: Deadline) -> Answer:
        """Ask with the token in use, and once more with a new one when it is refused."""
        lease = self._keeper.lease(deadline)
        answer = self._answer_to(lease, request, deadline)
        if not isinstance(error_of(answer), KeyAccessDenied):
            return answer
        other = self._keeper.replace(lease, deadline)
        if other is lease:
            return answer
        answer = self._answer_to(other, request, deadline)
        if isinstance(error_of(answer), KeyAccessDenied):
            self._keeper.replacing_did_not_help()
        return answer

    def _answer_to(self, lease: Lease, request: Request, deadline: Deadline) -> Answer:
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        return request(Transit(caller), self._at)


class _Logins(TokenSource):
    """The ways to a token. The files that hold credentials are read at every login."""

    def __init__(self, settings: VaultSettings, http: BoundedHttp) -> None:
        self._settings = settings
        self._http = http

    def log_in(self, deadline: Deadline) -> Lease:
        """Log in as the options say."""
        login, since = self._settings.login, age_seconds()
        if isinstance(login, TokenFile):
            found = Lease(login.token.read(), seconds=0, renewable=False, since=since)
            return self._look_up(found, deadline)
        caller = VaultCaller(self._settings, self._http, deadline)
        if isinstance(login, AppRole):
            answer = AppRoleApi(caller).login(
                login.role_id.read(),
                login.secret_id.read() if login.secret_id else None,
                use_token=False,
                mount_point=login.mount,
            )
        else:
            answer = KubernetesApi(caller).login(
                login.role, login.jwt.read(), use_token=False, mount_point=login.mount
            )
        auth = self._accepted(answer, "auth")
        return Lease(_token(auth), _seconds(auth, "lease_duration"), _is_renewable(auth), since)

    def renew(self, lease: Lease, deadline: Deadline) -> Lease:
        """Prolong it by ``renew-self``."""
        since = age_seconds()
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        auth = self._accepted(TokenApi(caller).renew_self(), "auth")
        return Lease(lease.token, _seconds(auth, "lease_duration"), _is_renewable(auth), since)

    def _look_up(self, lease: Lease, deadline: Deadline) -> Lease:
        caller = VaultCaller(self._settings, self._http, deadline, lease)
        data = self._accepted(TokenApi(caller).lookup_self(), "data")
        return Lease(lease.token, _seconds(data, "ttl"), _is_renewable(data), lease.since)

    def _accepted(self, answer: Answer, part: str) -> Mapping[str, Any]:
        error = error_of(answer)
        if error is not None and not isinstance(error, KeyUnavailable):
            looked_at = self._settings.login.looked_at
            raise KeyAccessDenied(
                f"{self._settings.setting}: Vault refuses the login. Look at {looked_at}."
            )
        return part_of(answer, part)


def _token(auth: Mapping[str, Any]) -> str:
    if not isinstance(auth.get("client_token"), str) or not _TOKEN.fullmatch(auth["client_token"]):
        raise unintelligible()
    return str(auth["client_token"])


def _seconds(fields: Mapping[str, Any], name: str) -> int:
    seconds = fields.get(name)
    if not isinstance(seconds, int) or not 0 <= seconds <= _LONGEST_LIFE_SECONDS:
        raise unintelligible()
    return seconds


def _is_renewable(fields: Mapping[str, Any]) -> bool:
    return fields.get("renewable") is True
