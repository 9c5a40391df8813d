"""Prints what ``/readyz`` answers once the server of ``PORT`` can serve, or after a minute."""

import json
import os
import sys
import time
import urllib.request

_SECONDS = 60.0


def _answer(url: str) -> object:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - on loopback
            return json.loads(response.read())
    except (OSError, ValueError):
        return None


def main() -> None:
    """Ask until the answer is yes."""
    deadline, answer = time.monotonic() + _SECONDS, None
    url = f"http://127.0.0.1:{os.environ['PORT']}/readyz"  # noqa: TID251 - a program of its own
    while answer is None and time.monotonic() < deadline:
        answer = _answer(url)
        time.sleep(0.05)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
