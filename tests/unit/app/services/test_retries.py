"""The same request sent again gets the same answer, and its write happens once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.errors import (
    RequestIdReused,
    SecretNameExists,
    SecretNotFound,
    TamperedRow,
    Unauthenticated,
)
from app.domain.idempotency import RetryKey
from app.domain.secrets import Secret, SecretRef, SecretValue
from app.services.idempotency import DELETION_PAUSE_MS
from backends.errors import DecryptionError
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, with_key
from tests.unit.app.services.steps import Steps, stepped

CREATE = RetryKey("request-1", b'POST /v1/secrets {"name": "A", "value": "first"}')
OTHER = RetryKey("request-1", b'POST /v1/secrets {"name": "A", "value": "second"}')
HOUR = 60 * 60


def create(tenant: Tenant, name: str = "A", retry: RetryKey = CREATE) -> Secret:
    return tenant.services.secrets.create(tenant.caller, name, SecretValue("first"), retry)


def test_a_create_that_is_sent_again_gets_the_same_answer(tenant: Tenant, rows: Rows) -> None:
    assert create(tenant) == create(tenant)
    assert len(rows.all("secrets")) == 1


def test_it_gets_the_same_answer_from_a_new_process(deployment: Deployment, tenant: Tenant) -> None:
    assert create(tenant) == create(tenant.at(deployment.process()))


def test_it_gets_the_answer_of_then_although_the_secret_was_deleted(tenant: Tenant) -> None:
    first = create(tenant)
    tenant.delete("A")
    assert create(tenant) == first
    assert tenant.names() == []


def test_an_update_that_is_sent_again_does_not_undo_a_later_one(tenant: Tenant) -> None:
    tenant.create("A")
    retry = RetryKey("request-2", b"POST /v1/secrets/A")
    ref = SecretRef.by_name("A")

    def update() -> Secret:
        return tenant.services.secrets.update(tenant.caller, ref, SecretValue("early"), retry)

    first = update()
    tenant.update("A", "late")
    assert update() == first
    assert tenant.value("A") == "late"


def test_a_delete_that_is_sent_again_spares_what_came_after_it(tenant: Tenant) -> None:
    made = tenant.create("A")
    retry = RetryKey("request-3", b"POST /v1/secrets/A/delete")
    ref = SecretRef.by_name("A")
    assert tenant.services.secrets.delete(tenant.caller, ref, retry) == made
    tenant.create("A", "a new one")
    assert tenant.services.secrets.delete(tenant.caller, ref, retry) == made
    assert tenant.value("A") == "a new one"


def test_the_same_id_with_another_request_is_refused(tenant: Tenant) -> None:
    create(tenant)
    with pytest.raises(RequestIdReused):
        create(tenant, retry=OTHER)


def test_a_refusal_is_not_kept(tenant: Tenant) -> None:
    tenant.create("A")
    with pytest.raises(SecretNameExists):
        create(tenant)
    tenant.delete("A")
    assert create(tenant).name == "A"


def test_a_refused_request_does_not_take_its_id(tenant: Tenant, rows: Rows) -> None:
    with pytest.raises(SecretNotFound):
        tenant.services.secrets.delete(tenant.caller, SecretRef.by_name("A"), CREATE)
    assert rows.all("stored_responses") == []


def test_an_answer_is_kept_for_an_hour(deployment: Deployment, tenant: Tenant) -> None:
    first = create(tenant)
    deployment.clock.advance(seconds=HOUR - 0.001)
    assert create(tenant) == first


def test_after_an_hour_the_request_is_a_new_one(deployment: Deployment, tenant: Tenant) -> None:
    create(tenant)
    deployment.clock.advance(seconds=HOUR)
    with pytest.raises(SecretNameExists):
        create(tenant)


def test_after_an_hour_the_id_may_be_used_for_another_request(
    deployment: Deployment, tenant: Tenant
) -> None:
    create(tenant)
    deployment.clock.advance(seconds=HOUR)
    assert create(tenant, "B", OTHER).name == "B"


def test_expired_answers_are_deleted_by_the_next_write(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    create(tenant)
    deployment.clock.advance(seconds=HOUR)
    create(tenant, "B", RetryKey("request-2", b"another"))
    assert [row["request_id"] for row in rows.all("stored_responses")] == ["request-2"]


def test_writes_delete_expired_answers_ten_times_a_second(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    create(tenant)
    answer = rows.one("stored_responses")
    create(tenant, "B", RetryKey("request-2", b"another"))
    rows.plant("stored_responses", {**answer, "request_id": "expired", "expires_at_ms": 1})
    for number, left in ((3, 1), (4, 0)):
        create(tenant, f"NAME_{number}", RetryKey(f"request-{number}", b"another"))
        assert len(rows.all("stored_responses", request_id="expired")) == left
        deployment.clock.advance(seconds=DELETION_PAUSE_MS / 1000)


def test_each_api_key_has_ids_of_its_own(tenant: Tenant) -> None:
    create(tenant)
    with pytest.raises(SecretNameExists):
        create(with_key(tenant.services, tenant.caller.account_id))


def test_each_account_has_ids_of_its_own(tenant: Tenant) -> None:
    assert create(tenant).id != create(new_tenant(tenant.services)).id


def test_a_minted_key_is_shown_again_with_the_same_token(tenant: Tenant) -> None:
    def mint() -> tuple[str, str]:
        issued = tenant.services.api_keys.mint(
            tenant.caller, name="minted", scopes=None, expires_at_ms=None, retry=CREATE
        )
        return issued.id, issued.token.reveal()

    assert mint() == mint()


def test_neither_request_nor_answer_is_stored_in_the_clear(tenant: Tenant, rows: Rows) -> None:
    issued = tenant.services.api_keys.mint(
        tenant.caller, name="minted", scopes=None, expires_at_ms=None, retry=CREATE
    )
    (row,) = rows.all("stored_responses")
    stored = b"|".join(each for each in row.values() if isinstance(each, bytes))
    for text in (issued.token.reveal(), issued.id, "minted", CREATE.request.decode()):
        assert text.encode() not in stored
        assert text not in repr(row)


def test_a_changed_answer_is_refused(tenant: Tenant, rows: Rows) -> None:
    create(tenant)
    answer = rows.one("stored_responses")["response"]
    rows.edit("stored_responses", {}, response=answer[:-1] + bytes([answer[-1] ^ 1]))
    with pytest.raises(DecryptionError):
        create(tenant)


def test_an_answer_that_was_moved_to_another_id_is_refused(tenant: Tenant, rows: Rows) -> None:
    create(tenant)
    rows.edit("stored_responses", {}, request_id="request-9")
    with pytest.raises(DecryptionError):
        create(tenant, retry=RetryKey("request-9", CREATE.request))


def test_an_answer_that_was_moved_to_another_key_is_refused(tenant: Tenant, rows: Rows) -> None:
    create(tenant)
    other = with_key(tenant.services, tenant.caller.account_id)
    rows.edit("stored_responses", {}, api_key_id=other.key.id)
    with pytest.raises(DecryptionError):
        create(other)


@pytest.mark.parametrize("answer", [b"", b"\x01", bytes(338)])
def test_a_planted_answer_is_refused(tenant: Tenant, rows: Rows, answer: bytes) -> None:
    create(tenant)
    rows.edit("stored_responses", {}, response=answer)
    with pytest.raises(DecryptionError):
        create(tenant)


def test_an_answer_under_another_system_key_is_refused(tenant: Tenant, rows: Rows) -> None:
    create(tenant)
    rows.edit("stored_responses", {}, data_key_id="dk_0000000000000000000000")
    with pytest.raises(TamperedRow):
        create(tenant)


def test_a_revoked_key_gets_no_stored_answer(tenant: Tenant) -> None:
    create(tenant)
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    with pytest.raises(Unauthenticated):
        tenant.authenticate()


def test_a_retry_that_overlaps_waits_for_the_answer(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    """The first request has claimed its id and not committed yet as the retry arrives."""
    tenant.create("WARM")
    steps = Steps()
    slow = tenant.at(deployment.process(database=stepped(deployment.database, steps)))
    claimed, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        claimed.set()
        assert go_on.wait(10)

    steps.before("commit", wait)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(create, slow)
        assert claimed.wait(10)
        again = pool.submit(create, tenant)
        assert not again.done()
        go_on.set()
        assert first.result(10) == again.result(10)
    assert len(rows.all("secrets", name="A")) == 1


def test_many_at_once_with_one_id_write_once(tenant: Tenant, rows: Rows) -> None:
    tenant.create("WARM")
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: create(tenant), range(8)))
    assert len(answers) == 1
    assert len(rows.all("secrets", name="A")) == 1


@pytest.mark.parametrize("column", ["digest", "expires_at_ms"])
def test_an_answer_is_neither_given_to_another_request_nor_kept_for_longer(
    deployment: Deployment, tenant: Tenant, rows: Rows, column: str
) -> None:
    create(tenant)
    create(tenant, "B", RetryKey("request-2", OTHER.request))
    other = rows.one("stored_responses", request_id="request-2")["digest"]
    edits = {"digest": other, "expires_at_ms": deployment.clock() + (HOUR + 30) * 1000}
    rows.edit("stored_responses", {"request_id": "request-1"}, **{column: edits[column]})
    with pytest.raises(TamperedRow, match="stored_responses"):
        create(tenant, retry=OTHER if column == "digest" else CREATE)
