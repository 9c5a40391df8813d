"""No error tells a value, a token or a key, and neither do the frames that it came through.

A traceback may be rendered with the locals of every frame, so these are searched as well.
"""

import logging
from collections.abc import Callable

import pytest

from app.crypto.values import ValueContext
from app.domain.access.api_keys import Token
from app.domain.errors import StorageUnavailable
from app.domain.idempotency import RetryKey
from app.domain.secrets import SecretValue
from app.services.container import Services
from backends.errors import DecryptionError, KeyUnavailable
from backends.keyring.keyring import Keyring
from backends.recovery.files import PrivateKeyFile
from tests.e2e.canaries import canary
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.leaks import Watch, Watched, logged, shown_of
from tests.unit.app.services.steps import Steps, stepped
from tests.unit.backends.spelled_out import hkdf

NONCE = f"nonce-of-a-redemption-{'x' * 20}"
VALUE = canary(1)


class Scene:
    """A tenant, and everything that can go wrong around it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.watch = Watch()
        self.watch.keep_secret("a nonce", NONCE)
        self.provider = Watched(f"local-fernet:{deployment.home / 'keys'}", self.watch)
        self.tenant = new_tenant(self.process())
        self.watch.keep_secret("a token", self.tenant.key.token.reveal())
        self.tenant.create("A", VALUE)

    def process(self, steps: Steps | None = None) -> Services:
        database = self.deployment.database
        return self.deployment.process(
            keyring=Keyring([self.provider]),
            database=stepped(database, steps) if steps else database,
        )

    def cold(self) -> Tenant:
        return self.tenant.at(self.process())

    def inject(self) -> Token:
        token = self.tenant.inject("A").token
        self.watch.keep_secret("a token", token.reveal())
        return token

    def down(self) -> None:
        self.provider.down = KeyUnavailable("The provider is down.")


def create(tenant: Tenant, value: str = VALUE, name: str = "B", request: bytes = b"") -> object:
    retry = RetryKey("request-1", request or value.encode(errors="replace"))
    return tenant.services.secrets.create(tenant.caller, name, SecretValue(value), retry)


def reuse_request_id(scene: Scene) -> None:
    create(scene.tenant)
    create(scene.tenant, request=b"another")


def use_revoked_key(scene: Scene) -> None:
    scene.tenant.services.api_keys.revoke(scene.tenant.caller.account_id, scene.tenant.key.id)
    scene.tenant.authenticate()


def use_edited_key(scene: Scene) -> None:
    with scene.deployment.rows() as rows:
        rows.edit("api_keys", {}, mac=bytes(32))
    scene.tenant.authenticate()


def redeem_twice(scene: Scene) -> None:
    token = scene.inject()
    scene.tenant.redeem(token, NONCE)
    scene.tenant.redeem(token)


def redeem_too_much(scene: Scene) -> None:
    scene.tenant.update("A", VALUE + "x" * 60_000)
    wanted = {f"V{number}": "A" for number in range(20)}
    issued = scene.tenant.services.injections.create(scene.tenant.caller, wanted, 300, None)
    scene.watch.keep_secret("a token", issued.token.reveal())
    scene.tenant.redeem(issued.token, NONCE)


def open_damaged_value(scene: Scene) -> None:
    token = scene.inject()
    with scene.deployment.rows() as rows:
        row = rows.one("secrets")
        rows.edit("secrets", {}, envelope=row["envelope"][:-1] + bytes([row["envelope"][-1] ^ 1]))
    scene.tenant.redeem(token, NONCE)


def open_damaged_wrapping(scene: Scene) -> None:
    token = scene.inject()
    with scene.deployment.rows() as rows:
        rows.edit("wrappings", {}, blob=b"damaged")
    scene.cold().redeem(token, NONCE)


def create_while_down(scene: Scene) -> None:
    cold = scene.cold()
    cold.authenticate()
    scene.down()
    create(cold)


def redeem_while_down(scene: Scene) -> None:
    token, cold = scene.inject(), scene.cold()
    scene.down()
    cold.redeem(token, NONCE)


def redeem_damaged_token(scene: Scene) -> None:
    text = scene.inject().reveal()
    scene.tenant.redeem(Token(text + "0"), NONCE)


FAILURES: dict[str, Callable[[Scene], object]] = {
    "value too long": lambda scene: create(scene.tenant, VALUE * 10_000),
    "value with NUL": lambda scene: create(scene.tenant, VALUE + "\0"),
    "value with surrogate": lambda scene: create(scene.tenant, VALUE + "\ud800"),
    "name taken": lambda scene: create(scene.tenant, name="A"),
    "nothing to update": lambda scene: scene.tenant.update("NONE", VALUE),
    "request id reused": reuse_request_id,
    "value as token": lambda scene: scene.tenant.services.authentication.authenticate(Token(VALUE)),
    "revoked key": use_revoked_key,
    "edited key": use_edited_key,
    "redeemed twice": redeem_twice,
    "too much": redeem_too_much,
    "damaged token": redeem_damaged_token,
    "bad nonce": lambda scene: scene.tenant.redeem(scene.inject(), NONCE + "\n"),
    "damaged value": open_damaged_value,
    "damaged wrapping": open_damaged_wrapping,
    "create while down": create_while_down,
    "redeem while down": redeem_while_down,
}


MISPLACED: dict[str, Callable[[Scene], object]] = {
    "as a name": lambda scene: create(scene.tenant, name=VALUE),
    "as a reference": lambda scene: scene.tenant.update(VALUE, VALUE),
    "as a label": lambda scene: scene.tenant.services.accounts.create(VALUE + "\n"),
    "as a variable": lambda scene: scene.tenant.services.injections.create(
        scene.tenant.caller, {VALUE: "A"}, 300, None
    ),
    "as a recovery key": lambda _: PrivateKeyFile.from_text(f'{{"seeds": "{VALUE}"}}'),
}


@pytest.fixture
def scene(deployment: Deployment) -> Scene:
    return Scene(deployment)


@pytest.mark.parametrize("failure", FAILURES)
def test_no_error_shows_what_it_was_about(scene: Scene, failure: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whichever it is
        FAILURES[failure](scene)
    assert scene.watch.found_in(shown_of(raised.value)) == []


@pytest.mark.parametrize("place", MISPLACED)
def test_no_error_repeats_a_value_that_was_sent_in_the_wrong_place(
    scene: Scene, place: str
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whichever it is
        MISPLACED[place](scene)
    error: BaseException | None = raised.value
    while error is not None:
        assert scene.watch.found_in(f"{error} {error!r}") == []
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("failure", FAILURES | MISPLACED)
def test_no_failure_logs_what_it_was_about(
    scene: Scene, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception):  # noqa: B017, PT011
        (FAILURES | MISPLACED)[failure](scene)
    assert scene.watch.found_in(logged(caplog.records)) == []


OPERATIONS: dict[str, Callable[[Tenant, Token], object]] = {
    "create": lambda tenant, _: create(tenant),
    "update": lambda tenant, _: tenant.update("A", VALUE),
    "redeem": lambda tenant, token: tenant.redeem(token, NONCE),
    "authenticate": lambda tenant, _: tenant.authenticate(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_failure_of_the_database_shows_what_was_written(scene: Scene, operation: str) -> None:
    token = scene.inject()
    prepared = scene.deployment.snapshot()
    steps = Steps()
    OPERATIONS[operation](scene.tenant.at(scene.process(steps)), token)
    for number in range(1, len(steps.names) + 1):
        scene.deployment.restore(prepared)
        counted = Steps()
        counted.at(number, refuse)
        with pytest.raises(StorageUnavailable) as raised:
            OPERATIONS[operation](scene.tenant.at(scene.process(counted)), token)
        assert scene.watch.found_in(shown_of(raised.value)) == []


def refuse() -> None:
    raise StorageUnavailable


def test_the_error_of_a_damaged_value_does_not_show_its_record_key(scene: Scene) -> None:
    with scene.deployment.rows() as rows:
        row, deployment_id = rows.one("secrets"), rows.one("deployment")["id"]
    context = ValueContext(
        deployment_id=deployment_id,
        account_id=row["account_id"],
        secret_id=row["id"],
        name="A",
        version=1,
        data_key_id=row["data_key_id"],
    )
    data_key = scene.provider.data_keys[row["data_key_id"]]
    info = b"strongroom/v1/envelope" + row["envelope"][:2] + context.to_bytes()
    derived = hkdf("sha512", data_key, row["envelope"][2:34], info, 64)
    scene.watch.keep_secret("a record key", derived[:32])
    with pytest.raises(DecryptionError) as raised:
        open_damaged_value(scene)
    assert scene.watch.found_in(shown_of(raised.value)) == []
