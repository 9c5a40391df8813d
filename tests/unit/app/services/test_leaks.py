"""No value, token or data key is kept in the clear or shown, in any form, whatever goes wrong."""

import copy
import pickle
from collections.abc import Callable

import pytest

from app.domain.access.api_keys import Token
from app.domain.idempotency import RetryKey
from app.domain.injections import RedeemNonce
from app.domain.redaction import Redacted
from app.domain.secrets import SecretFilter, SecretRef, SecretValue
from backends.keyring.keyring import Keyring
from tests.e2e.canaries import canary
from tests.support.deployment import ADDRESS, Deployment, Tenant, new_tenant
from tests.unit.app.services.leaks import Watch, Watched

NONCE = f"nonce-of-a-redemption-{'x' * 20}"


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    watch.keep_secret("a nonce", NONCE)
    return watch


@pytest.fixture
def provider(deployment: Deployment, watch: Watch) -> Watched:
    return Watched(f"local-fernet:{deployment.home / 'keys'}", watch)


@pytest.fixture
def tenant(deployment: Deployment, provider: Watched, watch: Watch) -> Tenant:
    tenant = new_tenant(deployment.process(keyring=Keyring([provider])))
    watch.keep_secret("a token", tenant.key.token.reveal())
    tenant.create("A", canary(0))
    return tenant


def inject(tenant: Tenant, watch: Watch, *names: str) -> Token:
    token = tenant.inject(*names).token
    watch.keep_secret("a token", token.reveal())
    return token


def use_everything(tenant: Tenant, watch: Watch, count: int) -> None:
    """Every path by which a value, a token or a nonce comes in."""
    for number in range(count):
        retry = RetryKey(f"request-{number}", canary(number).encode())
        value = SecretValue(canary(number))
        tenant.services.secrets.create(tenant.caller, f"N{number}", value, retry)
        tenant.update(f"N{number}", canary(number) + " again")
        tenant.services.secret_versions.roll_back(
            tenant.caller, SecretRef.by_name(f"N{number}"), 1, None
        )
        tenant.redeem(inject(tenant, watch, f"N{number}"), NONCE)
        minted = tenant.services.api_keys.mint(
            tenant.caller,
            name="minted",
            scopes=None,
            expires_at_ms=None,
            retry=RetryKey(f"mint-{number}", canary(number).encode()),
        )
        watch.keep_secret("a token", minted.token.reveal())
    tenant.delete("N0")
    tenant.services.reencrypt.run(print)


@pytest.mark.sqlite
def test_the_database_holds_nothing_in_the_clear(
    deployment: Deployment, tenant: Tenant, watch: Watch, *, proving: bool
) -> None:
    use_everything(tenant, watch, 1000 if proving else 10)
    files = [path for path in deployment.home.iterdir() if path.name != "keys"]
    assert {"strongroom.db", "strongroom.db-wal"} <= {path.name for path in files}
    assert {
        path.name: found for path in files if (found := watch.found_in(path.read_bytes()))
    } == {}


OBJECTS: dict[str, Callable[[Tenant], object]] = {
    "secret": lambda tenant: tenant.create("B", canary(1)),
    "page": lambda tenant: tenant.services.secrets.list(
        tenant.caller, SecretFilter(), 10, None, with_total=True
    ),
    "value": lambda _: SecretValue(canary(1)),
    "API key": lambda tenant: tenant.key,
    "token": lambda tenant: tenant.key.token,
    "caller": lambda tenant: tenant.caller,
    "injection": lambda tenant: tenant.inject("A"),
    "injections": lambda tenant: tenant.services.injections.list(tenant.caller, 5, None),
    "nonce": lambda _: RedeemNonce(NONCE),
    "environment": lambda tenant: tenant.services.redemption.redeem(
        tenant.inject("A").token, RedeemNonce(NONCE), ADDRESS
    ),
    "retry key": lambda _: RetryKey("id", canary(1).encode()),
    "system key": lambda tenant: tenant.services.accounts._system_key.opened(),
    "services": lambda tenant: tenant.services,
    "recovery key": lambda tenant: tenant.services.recovery.make_key(),
    "status": lambda tenant: tenant.services.keyring_status.report(),
}


@pytest.mark.parametrize("make", OBJECTS)
def test_no_object_prints_what_it_holds(tenant: Tenant, watch: Watch, make: str) -> None:
    made = OBJECTS[make](tenant)
    if isinstance(token := getattr(made, "token", None), Redacted):
        watch.keep_secret("a token", token.reveal())
    for shown in (repr(made), str(made), f"{made}", f"{made!r:>5}", ascii(made)):
        assert watch.found_in(shown) == []


HOLDERS = ["value", "token", "nonce", "environment", "API key", "injection", "system key"]


@pytest.mark.parametrize("make", HOLDERS)
@pytest.mark.parametrize("way", [pickle.dumps, copy.deepcopy])
def test_what_holds_a_secret_is_neither_pickled_nor_copied(
    tenant: Tenant, make: str, way: Callable[[object], object]
) -> None:
    made = OBJECTS[make](tenant)
    with pytest.raises(TypeError):
        way(made)
