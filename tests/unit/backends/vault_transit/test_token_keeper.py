"""One token for all threads: renewed in time, replaced when refused, logged in for once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from backends.calls.deadline import Deadline
from backends.errors import KeyAccessDenied, KeyUnavailable
from backends.lifetime import age_seconds
from backends.vault_transit.token_keeper import Lease, TokenKeeper, TokenSource
from tests.support.waiting import wait_until

DEADLINE = 10.0


class Source(TokenSource):
    """Gives tokens of ``seconds`` by the number of their login."""

    def __init__(self, seconds: float, *, renewable: bool = True) -> None:
        self.seconds = seconds
        self.renewed_seconds = seconds
        self.renewable = renewable
        self.log_in_error: Exception | None = None
        self.renewal_error: Exception | None = None
        self.may_log_in = threading.Event()
        self.may_log_in.set()
        self.logins = 0
        self.renewals = 0

    def log_in(self, deadline: Deadline) -> Lease:
        self.logins += 1
        if not self.may_log_in.wait(deadline.remaining()):
            raise KeyUnavailable("Too slow.")
        if self.log_in_error:
            raise self.log_in_error
        return Lease(str(self.logins), self.seconds, self.renewable, age_seconds())

    def renew(self, lease: Lease, deadline: Deadline) -> Lease:  # answers at once
        self.renewals += 1
        if self.renewal_error:
            raise self.renewal_error
        return Lease(lease.token, self.renewed_seconds, self.renewable, age_seconds())


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens here live for a second."""
    monkeypatch.setattr("backends.vault_transit.token_keeper._SHORTEST_PAUSE", 0.02)


@pytest.fixture
def keep() -> Iterator[Callable[[Source], TokenKeeper]]:
    keepers: list[TokenKeeper] = []

    def keep(source: Source) -> TokenKeeper:
        keepers.append(TokenKeeper(source))
        return keepers[-1]

    yield keep
    for keeper in keepers:
        keeper.close()


Keep = Callable[[Source], TokenKeeper]


def token(keeper: TokenKeeper) -> str:
    return keeper.lease(Deadline(DEADLINE)).token


def test_a_token_is_used_for_many_calls(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    assert [token(keeper) for _ in range(5)] == ["1"] * 5
    assert source.logins == 1


def test_a_token_is_renewed_before_it_expires_and_without_a_call(keep: Keep) -> None:
    keeper = keep(source := Source(1))
    first = keeper.lease(Deadline(DEADLINE))
    wait_until(lambda: source.renewals >= 2)
    assert first.has_expired
    assert (token(keeper), source.logins) == ("1", 1)


def test_a_token_is_not_renewed_before_most_of_its_life_is_over(keep: Keep) -> None:
    keeper = keep(source := Source(1))
    start = monotonic()
    token(keeper)
    wait_until(lambda: source.renewals >= 1)
    assert monotonic() - start >= 0.6


def test_a_token_that_cannot_be_renewed_is_replaced_before_it_expires(keep: Keep) -> None:
    keeper = keep(source := Source(1, renewable=False))
    first = keeper.lease(Deadline(DEADLINE))
    wait_until(lambda: source.logins >= 2)
    assert (source.renewals, first.has_expired) == (0, False)


def test_a_token_whose_renewal_is_refused_is_replaced(keep: Keep) -> None:
    source = Source(1)
    source.renewal_error = KeyAccessDenied("No.")
    keeper = keep(source)
    token(keeper)
    wait_until(lambda: source.logins >= 2)
    assert token(keeper) != "1"


def test_a_token_near_its_greatest_age_is_replaced(keep: Keep) -> None:
    source = Source(1)
    source.renewed_seconds = 0.4
    keeper = keep(source)
    token(keeper)
    wait_until(lambda: source.logins >= 2)
    assert source.renewals >= 1


def test_a_renewal_that_fails_is_tried_again(keep: Keep) -> None:
    source = Source(2)
    source.renewal_error = KeyUnavailable("Down.")
    keeper = keep(source)
    first = keeper.lease(Deadline(DEADLINE))
    wait_until(lambda: source.renewals >= 2)
    source.renewal_error = None
    wait_until(lambda: first.has_expired)
    assert (token(keeper), source.logins) == ("1", 1)


def test_an_expired_token_is_replaced_by_the_call_that_finds_it(keep: Keep) -> None:
    source = Source(0.1)
    source.renewal_error = KeyUnavailable("Down.")
    keeper = keep(source)
    first = keeper.lease(Deadline(DEADLINE))
    wait_until(lambda: first.has_expired)
    assert token(keeper) == "2"


def test_an_expired_token_is_not_fought_for_in_the_background(keep: Keep) -> None:
    source = Source(0.1)
    source.renewal_error = KeyUnavailable("Down.")
    keeper = keep(source)
    first = keeper.lease(Deadline(DEADLINE))
    wait_until(lambda: first.has_expired and keeper._renew_at is None)
    renewals = source.renewals
    assert not threading.Event().wait(0.2)
    assert (source.renewals, source.logins) == (renewals, 1)


def test_a_refused_token_is_replaced_once_for_all_threads(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    refused = keeper.lease(Deadline(DEADLINE))
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: keeper.replace(refused, Deadline(DEADLINE)), range(8)))
    assert ({lease.token for lease in leases}, source.logins) == ({"2"}, 2)


def test_a_token_is_used_while_it_is_being_replaced(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    refused = keeper.lease(Deadline(DEADLINE))
    source.may_log_in.clear()
    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(keeper.replace, refused, Deadline(DEADLINE))
        wait_until(lambda: source.logins == 2)
        assert token(keeper) == "1"
        source.may_log_in.set()
        assert replacing.result(DEADLINE).token == "2"


def test_a_login_that_fails_leaves_the_token_that_there_is(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    lease = keeper.lease(Deadline(DEADLINE))
    source.log_in_error = KeyUnavailable("Down.")
    with pytest.raises(KeyUnavailable):
        keeper.replace(lease, Deadline(DEADLINE))
    assert token(keeper) == "1"


def test_whoever_waits_for_the_login_of_another_waits_no_longer_than_it_may(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    source.may_log_in.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(keeper.lease, Deadline(DEADLINE))
        wait_until(lambda: source.logins == 1)
        with pytest.raises(KeyUnavailable):
            keeper.lease(Deadline(0.05))
        source.may_log_in.set()
        assert first.result(DEADLINE).token == "1"


def test_a_failed_login_is_tried_again_by_the_next_call(keep: Keep) -> None:
    source = Source(60)
    source.log_in_error = KeyAccessDenied("No.")
    keeper = keep(source)
    with pytest.raises(KeyAccessDenied):
        token(keeper)
    source.log_in_error = None
    assert token(keeper) == "2"


def test_logins_that_do_not_help_are_not_repeated_for_a_while(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    lease = keeper.replace(keeper.lease(Deadline(DEADLINE)), Deadline(DEADLINE))
    keeper.replacing_did_not_help()
    assert keeper.replace(lease, Deadline(DEADLINE)) is lease
    assert source.logins == 2


def test_a_token_without_an_end_is_never_renewed(keep: Keep) -> None:
    keeper = keep(Source(0))
    token(keeper)
    assert keeper._thread is None


def test_a_lease_does_not_show_its_token() -> None:
    assert "canary" not in repr(Lease("canary", 1, True, 0.0))


def test_a_login_that_used_up_its_time_is_not_begun_again_at_once(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.vault_transit.token_keeper._LOGIN_SECONDS", 0.02)
    keeper = keep(source := Source(60))
    source.may_log_in.clear()
    for _ in range(3):
        with pytest.raises(KeyUnavailable, match="Too slow"):
            token(keeper)
    assert source.logins == 1


def test_a_login_goes_on_after_the_call_that_wanted_it(keep: Keep) -> None:
    keeper = keep(source := Source(60))
    source.may_log_in.clear()
    with pytest.raises(KeyUnavailable, match="goes on in the background"):
        keeper.lease(Deadline(0.01))
    source.may_log_in.set()
    assert token(keeper) == "1"
    assert source.logins == 1


def test_a_lease_is_over_after_the_sleep_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock stood still meanwhile."""
    lease = Lease("a token", 60, renewable=True, since=1000.0)
    monkeypatch.setattr("backends.vault_transit.token_keeper.age_seconds", lambda: 1060.0)
    assert lease.has_expired
