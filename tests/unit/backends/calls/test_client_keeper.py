"""One client, built anew now and then while its credentials are refused."""

from collections.abc import Callable
from threading import Semaphore

import pytest

from backends.calls import client_keeper
from backends.calls.client_keeper import ClientKeeper, Connected
from backends.errors import KeyAccessDenied, KeyProviderError, KeyUnavailable


class Client:
    closed = False

    def close(self) -> None:
        self.closed = True


class Vendor:
    """Gives clients, or the reason why not.

    Attributes:
        now: The time, in seconds.
        lives: For how many seconds a client is good.
        slow: Whether building one takes until ``released``.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.tries = 0
        self.failure: KeyProviderError | None = None
        self.lives: float | None = None
        self.slow = False
        self.begun = Semaphore(0)
        self.released = Semaphore(0)

    def connect(self) -> Connected[Client] | KeyProviderError:
        self.tries += 1
        self.begun.release()
        if self.slow:
            self.released.acquire(timeout=30)
        return self.failure or Connected(Client(), self.lives)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor()
    monkeypatch.setattr(client_keeper, "monotonic", lambda: vendor.now)
    monkeypatch.setattr(client_keeper, "age_seconds", lambda: vendor.now)
    return vendor


@pytest.fixture
def keeper(vendor: Vendor) -> ClientKeeper[Client]:
    return ClientKeeper(vendor.connect, "STRONGROOM_KEYS (entry 1)")


def test_a_client_is_kept(keeper: ClientKeeper[Client]) -> None:
    assert keeper.client() is keeper.client()


def test_a_refused_client_is_closed_and_replaced(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    vendor.now += 5
    keeper.refused(first)
    assert keeper.client() is not first
    assert first.closed


def test_a_client_that_was_just_built_is_kept_though_it_is_refused(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    vendor.now += 4.9
    keeper.refused(first)
    assert keeper.client() is first
    assert not first.closed


def test_a_client_that_cannot_be_built_is_tried_again_after_a_pause(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.failure = KeyAccessDenied("no credentials")
    for seconds, tries in ((0, 1), (4.9, 1), (0.1, 2)):
        vendor.now += seconds
        with pytest.raises(KeyAccessDenied, match="no credentials"):
            keeper.client()
        assert vendor.tries == tries
    vendor.failure = None
    vendor.now += 5
    assert keeper.client() is keeper.client()


def test_who_is_refused_gets_an_error_of_their_own(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.failure = KeyAccessDenied("no credentials")
    assert caught(keeper.client) is not caught(keeper.client)


def caught(call: Callable[[], object]) -> BaseException:
    with pytest.raises(KeyProviderError) as error:
        call()
    return error.value


def test_a_closed_one_can_be_used_by_who_still_has_it(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    keeper.close()
    assert keeper.client() is not first


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls do not wait for what takes long."""
    monkeypatch.setattr(client_keeper, "CALL_SECONDS", 0.01)
    monkeypatch.setattr(client_keeper, "_REFUSED_SECONDS", 0.01)


def wait_for(keeper: ClientKeeper[Client], vendor: Vendor) -> None:
    """Let the build that hangs go on, and wait for its end."""
    build = keeper._build
    vendor.released.release()
    assert build is not None
    build.result(30)


@pytest.mark.usefixtures("impatient")
def test_a_call_that_waits_in_vain_says_that_credentials_are_on_their_way(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.slow = True
    with pytest.raises(KeyUnavailable, match="still being fetched"):
        keeper.client()
    wait_for(keeper, vendor)
    keeper.client()
    assert vendor.tries == 1


@pytest.mark.usefixtures("impatient")
def test_one_client_is_built_at_a_time(keeper: ClientKeeper[Client], vendor: Vendor) -> None:
    vendor.slow = True
    for _ in range(5):
        with pytest.raises(KeyUnavailable):
            keeper.client()
        vendor.now += 5
    assert vendor.tries == 1
    wait_for(keeper, vendor)


@pytest.mark.usefixtures("impatient")
def test_a_build_that_never_ends_is_given_up(keeper: ClientKeeper[Client], vendor: Vendor) -> None:
    vendor.slow = True
    with pytest.raises(KeyUnavailable):
        keeper.client()
    vendor.begun.acquire(timeout=30)
    vendor.slow = False
    vendor.now += client_keeper.BUILD_SECONDS
    keeper.prepare(30)
    keeper.client()
    vendor.released.release()


@pytest.mark.usefixtures("impatient")
def test_what_was_given_up_is_not_begun_without_end(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.slow = True
    for _ in range(20):
        with pytest.raises(KeyUnavailable):
            keeper.client()
        vendor.now += client_keeper.BUILD_SECONDS
    assert vendor.tries == 5
    vendor.released.release(20)


def test_a_client_is_prepared_before_it_is_asked_for(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    keeper.prepare(30)
    keeper.client()
    assert vendor.tries == 1


def test_a_client_that_cannot_be_prepared_tells_why_when_it_is_asked_for(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.failure = KeyAccessDenied("no credentials")
    keeper.prepare(30)
    with pytest.raises(KeyAccessDenied, match="no credentials"):
        keeper.client()


def test_a_client_is_replaced_before_its_credentials_end_and_used_meanwhile(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.lives = 3600
    first = keeper.client()
    vendor.slow = True
    vendor.now += 3600 - 900
    assert keeper.client() is first
    wait_for(keeper, vendor)
    assert keeper.client() is not first
    assert first.closed


def test_credentials_of_a_short_life_are_replaced_in_its_last_third(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.lives = 60
    keeper.client()
    vendor.now += 39
    keeper.prepare(0)
    assert vendor.tries == 1
    vendor.slow = True
    vendor.now += 1
    keeper.prepare(0)
    wait_for(keeper, vendor)
    assert vendor.tries == 2


@pytest.mark.usefixtures("impatient")
def test_no_call_is_made_with_credentials_that_have_ended(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.lives = 60
    first = keeper.client()
    vendor.slow = True
    vendor.now += 60
    with pytest.raises(KeyUnavailable):
        keeper.client()
    wait_for(keeper, vendor)
    assert keeper.client() is not first


def test_a_client_stays_in_use_while_no_other_can_be_built(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    vendor.lives = 3600
    first = keeper.client()
    vendor.now += 3600 - 900
    vendor.failure = KeyAccessDenied("no credentials")
    keeper.prepare(0)
    assert keeper.client() is first


@pytest.mark.usefixtures("impatient")
def test_a_refused_client_is_used_until_there_is_another(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    vendor.now += 5
    vendor.slow = True
    keeper.refused(first)
    assert keeper.client() is first
    wait_for(keeper, vendor)
    assert keeper.client() is not first


def test_what_is_built_after_the_end_is_closed(vendor: Vendor) -> None:
    late = Client()

    def connect() -> Connected[Client]:
        vendor.released.acquire(timeout=30)
        return Connected(late)

    keeper = ClientKeeper(connect, "STRONGROOM_KEYS (entry 1)")
    keeper.prepare(0)
    build = keeper._build
    keeper.close()
    vendor.released.release()
    assert build is not None
    build.result(30)
    assert late.closed
