"""One client, built anew now and then while its credentials are refused."""

from collections.abc import Callable

import pytest

from backends import client_keeper
from backends.client_keeper import ClientKeeper
from backends.errors import KeyAccessDenied, KeyProviderError


class Client:
    closed = False

    def close(self) -> None:
        self.closed = True


class Vendor:
    """Gives clients, or the reason why not.

    Attributes:
        now: The time, in seconds.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.tries = 0
        self.failure: KeyProviderError | None = None

    def connect(self) -> Client | KeyProviderError:
        self.tries += 1
        return self.failure or Client()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    vendor = Vendor()
    monkeypatch.setattr(client_keeper, "monotonic", lambda: vendor.now)
    return vendor


@pytest.fixture
def keeper(vendor: Vendor) -> ClientKeeper[Client]:
    return ClientKeeper(vendor.connect)


def test_a_client_is_kept(keeper: ClientKeeper[Client]) -> None:
    assert keeper.client() is keeper.client()


def test_a_refused_client_is_closed_and_replaced(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    vendor.now += 5
    keeper.refused()
    assert first.closed
    assert keeper.client() is not first


def test_a_client_that_was_just_built_is_kept_though_it_is_refused(
    keeper: ClientKeeper[Client], vendor: Vendor
) -> None:
    first = keeper.client()
    vendor.now += 4.9
    keeper.refused()
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
