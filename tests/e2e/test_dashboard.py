"""Each panel of the dashboard shows data of a real server, read by a real Prometheus."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.canaries import found_in
from tests.support.dashboard import panels
from tests.support.waiting import wait_until
from tests.support.watched_server import INSTANCE, WatchedServer, watched_server

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

PANELS = panels()
SHOWN_SECONDS = 120  # a server measures its database each 30 seconds


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedServer]:
    """A server with a key provider that failed after it had served."""
    with watched_server(tmp_path_factory.mktemp("dashboard")) as watched:
        use_until(watched, lambda: watched.has_data(PANELS["Data keys"]))
        watched.vault.seal()
        yield watched


def use_until(watched: WatchedServer, holds: Callable[[], bool]) -> None:
    def holds_after_use() -> bool:
        watched.use()
        return holds()

    wait_until(holds_after_use, SHOWN_SECONDS)


@pytest.mark.parametrize("title", PANELS)
def test_every_query_of_a_panel_returns_data(title: str, watched: WatchedServer) -> None:
    use_until(watched, lambda: watched.has_data(PANELS[title]))


def test_every_outcome_of_a_redemption_is_a_line(watched: WatchedServer) -> None:
    (target,) = PANELS["Redemptions by outcome"].targets

    def shown() -> set[str]:
        return {target.legend_of(labels) for labels, _ in watched.lines(target)}

    use_until(watched, lambda: shown() >= {"redeemed", "repeated", "reused"})


def test_an_open_breaker_is_shown(watched: WatchedServer) -> None:
    (target,) = PANELS["Breakers of key providers"].targets

    def highest() -> float:
        return max(
            (value for _, samples in watched.lines(target) for _, value in samples), default=0
        )

    use_until(watched, lambda: highest() == 1)


def test_the_node_can_be_chosen(watched: WatchedServer) -> None:
    use_until(watched, lambda: watched.has_data(PANELS["Database"]))
    assert watched.prometheus.label_values("instance", "strongroom_database_up") == [INSTANCE]


def test_no_panel_shows_what_a_client_or_the_server_sent(watched: WatchedServer) -> None:
    use_until(watched, lambda: watched.has_data(PANELS["Redemptions by outcome"]))
    results = [watched.lines(each) for panel in PANELS.values() for each in panel.targets]
    text = json.dumps(results, ensure_ascii=False)
    assert "/v1/injections" in text  # so there is something to search
    assert [*found_in(text.encode()), *[each for each in watched.sent if each in text]] == []
