"""Gateway keys: who has one may ask for admissions, and may do nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.access.api_keys import Token
from app.domain.damage import DamagedRow
from app.domain.errors import InjectionRefused, InvalidRequest, TamperedRow, Unauthenticated
from app.domain.gateways.keys import IssuedGatewayKey
from app.domain.gateways.refusals import GatewayKeyNotFound, GatewayKeyRefused
from app.domain.redaction import Redacted
from app.services.container import Services
from tests.support.databases import Rows
from tests.support.deployment import Clock, Deployment, Tenant, readdressed

NAME = "a gateway"


@pytest.fixture
def issued(services: Services) -> IssuedGatewayKey:
    """A key that is stored."""
    made = services.gateway_keys.new(NAME)
    assert services.gateway_keys.add(NAME, made.token)
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Services]:
    """Another deployment."""
    home = tmp_path / "elsewhere"
    home.mkdir(mode=0o700)
    deployment = Deployment(home, Clock())
    deployment.key_file("keys")
    services = deployment.process()
    services.setup.initialise()
    yield services
    deployment.close()


def is_refused(services: Services, token: Redacted) -> bool:
    try:
        services.gateway_keys.authenticate(token)
    except GatewayKeyRefused:
        return True
    return False


def test_a_stored_key_is_accepted(services: Services, issued: IssuedGatewayKey) -> None:
    assert services.gateway_keys.authenticate(issued.token) == issued.id


def test_a_key_that_was_not_stored_is_refused(services: Services) -> None:
    assert is_refused(services, services.gateway_keys.new(NAME).token)


def test_a_revoked_key_is_refused_at_once_and_everywhere(
    deployment: Deployment, services: Services, issued: IssuedGatewayKey
) -> None:
    other = deployment.process()
    assert not is_refused(other, issued.token)
    services.gateway_keys.revoke(issued.id)
    assert is_refused(services, issued.token)
    assert is_refused(other, issued.token)


def test_a_key_of_another_deployment_is_refused(services: Services, elsewhere: Services) -> None:
    foreign = elsewhere.gateway_keys.new(NAME).token
    assert is_refused(services, foreign)
    assert not services.gateway_keys.add(NAME, foreign)


def test_the_secret_of_another_key_is_refused(services: Services, issued: IssuedGatewayKey) -> None:
    other = services.gateway_keys.new(NAME)
    services.gateway_keys.add(NAME, other.token)
    deployment_id = f"dep_{other.token.reveal().split('_')[1]}"
    mixed = readdressed(other.token, account_id=deployment_id, row_id=issued.id)
    assert is_refused(services, mixed)


@pytest.mark.parametrize("text", ["", "gwk_", "a token", "\x00", "gwk_" + "a" * 200])
def test_what_is_no_token_is_refused(services: Services, text: str) -> None:
    assert is_refused(services, Redacted(text))


@pytest.mark.parametrize(
    "columns",
    [
        {"name": "another name"},
        {"token_digest": bytes(32)},
        {"created_at_ms": 0},
        {"revoked_at_ms": 2**53},
        {"mac": bytes(33)},
        {"mac_key_id": "dk_0000000000000000000000"},
    ],
    ids=str,
)
def test_an_edited_key_is_refused_and_listed_as_damaged(
    services: Services, issued: IssuedGatewayKey, rows: Rows, columns: dict[str, object]
) -> None:
    rows.edit("gateway_keys", {"id": issued.id}, **columns)
    assert is_refused(services, issued.token)
    assert DamagedRow("gateway_keys", None, issued.id) in list(services.gateway_keys.list())


def test_a_revoked_key_cannot_be_revived_in_the_database(
    services: Services, issued: IssuedGatewayKey, rows: Rows
) -> None:
    services.gateway_keys.revoke(issued.id)
    rows.edit("gateway_keys", {"id": issued.id}, revoked_at_ms=None)
    assert is_refused(services, issued.token)
    with pytest.raises(TamperedRow):
        services.gateway_keys.revoke(issued.id)


def test_a_gateway_key_is_no_api_key_and_redeems_nothing(
    services: Services, issued: IssuedGatewayKey
) -> None:
    with pytest.raises(Unauthenticated):
        services.authentication.authenticate(issued.token)
    with pytest.raises(InjectionRefused):
        services.redemption.redeem(issued.token, None, None)


def test_no_other_token_is_a_gateway_key(
    services: Services, tenant: Tenant, issued: IssuedGatewayKey
) -> None:
    tenant.create("A_SECRET")
    injection = tenant.inject("A_SECRET").token
    assert issued.id
    assert is_refused(services, tenant.key.token)
    assert is_refused(services, injection)
    renamed = Token(tenant.key.token.reveal().replace("ak_", "gwk_", 1))
    assert is_refused(services, renamed)


def test_storing_a_key_again_changes_nothing(services: Services, issued: IssuedGatewayKey) -> None:
    services.gateway_keys.revoke(issued.id)
    assert services.gateway_keys.add(NAME, issued.token)
    assert is_refused(services, issued.token)


def test_a_key_that_does_not_exist_cannot_be_revoked(services: Services) -> None:
    with pytest.raises(GatewayKeyNotFound):
        services.gateway_keys.revoke(services.gateway_keys.new(NAME).id)


def test_a_name_must_be_printable(services: Services) -> None:
    with pytest.raises(InvalidRequest):
        services.gateway_keys.new("a\nname")


def test_a_key_that_is_live_again_after_a_restore_is_known_by_its_token(
    services: Services, issued: IssuedGatewayKey
) -> None:
    assert ("", issued.id) in {each[:2] for each in services.backups.live_keys()}
    services.gateway_keys.revoke(issued.id)
    assert ("", issued.id) not in {each[:2] for each in services.backups.live_keys()}


def test_stopping_and_starting_gateways_is_seen_by_every_process(
    deployment: Deployment, services: Services
) -> None:
    other = deployment.process()
    assert services.gateway_switch.stopped_since() is None
    assert services.gateway_switch.stop()
    assert not other.gateway_switch.stop()
    assert other.gateway_switch.stopped_since() == deployment.clock()
    assert other.gateway_switch.start()
    assert not services.gateway_switch.start()
    assert services.gateway_switch.stopped_since() is None


def test_neither_key_nor_token_prints_itself(issued: IssuedGatewayKey) -> None:
    secret = issued.token.reveal()
    assert secret not in repr(issued)
    assert secret not in repr(replace(issued, name="other"))
