"""The work of masking grows with the output, whatever it is and however it is cut."""

import sys
from collections.abc import Callable

import pytest

from app.masking.masker import Masker
from app.masking.needles import Found, Needles
from app.masking.search import ValueSearch
from tests.unit.app.masking.values import KEY, VALUES

pytestmark = pytest.mark.slow

VALUE = "canary-hello-world-12345"
LONG = "a" * 300
OUTPUTS: dict[str, Callable[[int], bytes]] = {
    "line ends": lambda n: b"\n" * n,
    "line ends after half of a value": lambda n: b"canary-hello" + b"\n" * n,
    "spaces after half of a value": lambda n: b"canary-hello" + b" " * n,
    "one letter": lambda n: b"a" * n,
    "the value": lambda n: (VALUE.encode() * n)[:n],
    "its beginning": lambda n: (b"canary-hello-worl" * n)[:n],
    "lines of a key": lambda n: (KEY.encode() * n)[:n],
    "percent signs": lambda n: b"%" * n,
    "escaped percent signs": lambda n: b"%25" * (n // 3),
    "escaped letters": lambda n: b"%61" * (n // 3),
    "backslashes": lambda n: b"\\" * n,
    "numbered letters": lambda n: rb"\u0061" * (n // 6),
    "ampersands": lambda n: b"&" * n,
    "control sequences": lambda n: b"\x1b[1m" * (n // 4),
    "control sequences that do not end": lambda n: b"\x1b]8;;" * (n // 5),
    "quotes": lambda n: b"'\"" * (n // 2),
    "indented lines": lambda n: b"\n          a" * (n // 12),
}
PIECES = {"large": 1 << 12, "small": 50}


@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_twice_the_output_is_twice_the_work(
    output: Callable[[int], bytes], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ValueSearch([VALUE, LONG, *VALUES.values()])

    def steps(length: int) -> int:
        """The calls that are made, and the bytes that are searched."""
        count = 0
        find = Needles.find

        def counting(self: Needles, text: bytes, *, is_end: bool) -> Found:
            nonlocal count
            count += len(text)
            return find(self, text, is_end=is_end)

        def profile(*_: object) -> None:
            nonlocal count
            count += 1

        masker, text = Masker(search), output(length)
        with monkeypatch.context() as patch:
            patch.setattr(Needles, "find", counting)
            sys.setprofile(profile)
            try:
                for at in range(0, len(text), size):
                    masker.feed(text[at : at + size])
                masker.finish()
            finally:
                sys.setprofile(None)
        return count

    assert steps(16_000) <= 2.5 * steps(8_000)


def test_the_end_of_a_small_piece_takes_few_steps() -> None:
    """A terminal passes 4 KiB at a time, and each of its pieces ends where a value may go on."""
    masker = Masker(ValueSearch([f"{number}-canary-hello-world" for number in range(50)]))
    line = b'{"level": "info", "message": "GET /a%20b 200 \\"client\\" served in 12.7 ms"}\r\n'
    piece = (line * 4096)[:4096]
    masker.feed(piece)
    steps = 0

    def profile(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(profile)
    masker.feed(piece)
    sys.setprofile(None)
    assert steps < 2_000
