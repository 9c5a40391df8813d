"""The time from the end of a token to the end of its streams, on a clock that jumps."""

import asyncio
import selectors
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

import pytest

from app.gateway.admission import Admitted, Origin
from app.gateway.uses import OpenUses, Pace

LONGEST_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
"""The longest answer that the gateway waits for."""


class Jumping(selectors.SelectSelector):
    """Waits for no timer: the clock of the loop jumps to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will happen any more"
        self.now += max(timeout, 0.0)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(test)


class Admissions:
    """The API: it ends all uses from some time on, and needs a while for each answer."""

    def __init__(self, ends_at: float, answer_seconds: float) -> None:
        self._ends_at = ends_at
        self._answer_seconds = answer_seconds
        self.asked_at: list[float] = []

    async def ended(self, uses: Iterable[str]) -> Mapping[str, str]:
        now = asyncio.get_running_loop().time()
        self.asked_at.append(now)
        await asyncio.sleep(self._answer_seconds)
        return dict.fromkeys(uses, "gateway_token_refused") if now >= self._ends_at else {}


ADMITTED = Admitted(
    use="gwu_1",
    token_id="gwt_1",
    config_id="gwc_1",
    origin=Origin("https", "api.example.com", 443, ""),
    headers=(),
    drop_query=frozenset(),
    needles=(),
    scrub=True,
    in_flight=1,
    strict=False,
    private=False,
    own=frozenset(),
)


@pytest.mark.parametrize("answer_seconds", [0.0, 5.0, _ANSWER_SECONDS])
@pytest.mark.parametrize("ends_at", [0.5, 19.9, 20.1, 59.0, 60.1])
def test_a_stream_ends_30_seconds_after_its_token_at_the_latest(
    ends_at: float, answer_seconds: float
) -> None:
    async def test() -> None:
        admissions = Admissions(ends_at, answer_seconds)
        uses = OpenUses(admissions, Pace())  # type: ignore[arg-type] # it asks this of it

        async def stream() -> None:
            with uses.opened(ADMITTED):
                await asyncio.sleep(3600)

        asking = asyncio.create_task(uses.recheck_for_ever())
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(stream())
        asking.cancel()
        ended = asyncio.get_running_loop().time()
        assert ends_at < ended <= ends_at + LONGEST_SECONDS

    run(test())


def test_the_api_is_asked_every_20_seconds() -> None:
    async def test() -> None:
        admissions = Admissions(ends_at=3600.0, answer_seconds=1.0)
        uses = OpenUses(admissions, Pace())  # type: ignore[arg-type] # it asks this of it
        with uses.opened(ADMITTED):
            asking = asyncio.create_task(uses.recheck_for_ever())
            await asyncio.sleep(61)
        asking.cancel()
        assert [round(each) for each in admissions.asked_at] == [20, 40, 60]

    run(test())
