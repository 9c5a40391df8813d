"""A stand-in for the API: it speaks the seam over a Unix socket and admits what a test says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support.waiting import wait_until

CONFIG = "gwc_0BvK1Za9Yx7Wq5Rt3Ps1Lm"
TOKEN = "gws_" + "A" * 22 + "_" + "B" * 22 + "_" + "C" * 49
OTHER_TOKEN = "gws_" + "A" * 22 + "_" + "D" * 22 + "_" + "E" * 49
CREDENTIAL = "sk-canary-0123456789-abcdefghij-KLMNOPQRST"
KEY = "gwk_of_the_gateway"


@dataclass
class Api:
    """The admissions.

    Attributes:
        answer: What an admission holds beside its use and token.
        refusal: Is given in place of an admission: a status, a body and headers.
        asked: All that was asked.
        ends: All that was reported.
        is_away: Rechecks and reports fail.
        over: The codes of uses that a recheck finds ended; ``*`` stands for all.
    """

    socket: str
    answer: dict[str, Any] = field(default_factory=dict)
    refusal: tuple[int, dict[str, Any], dict[str, str]] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)
    over: dict[str, str] = field(default_factory=dict)
    rechecks: int = 0
    refused_reports: int = 0
    is_away: bool = False
    admitted: int = 0

    @property
    def last_use(self) -> str:
        """The id of the use that was admitted last."""
        return f"gwu_{self.admitted}"

    def end(self) -> dict[str, Any]:
        """Wait for the report of the use that was admitted last."""
        use = self.last_use
        wait_until(lambda: any(each["use"] == use for each in self.ends))
        return next(each for each in self.ends if each["use"] == use)

    def admit_to(self, port: int, *, scheme: str = "http", **changes: Any) -> None:
        """Admit every request, to a server on loopback."""
        self.refusal = None
        self.over = {}
        self.is_away = False
        self.answer = {
            "origin": {"scheme": scheme, "host": "127.0.0.1", "port": port, "base": ""},
            "set": [["Authorization", f"Bearer {CREDENTIAL}"]],
            "drop_query": [],
            "needles": [CREDENTIAL],
            "scrub": True,
            "in_flight": 8,
            "strict": False,
            "private": True,
            "own": [],
        } | changes

    async def admit(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        asked = await request.json()
        self.asked.append(asked)
        if self.refusal is not None:
            status, body, headers = self.refusal
            return web.json_response(body, status=status, headers=headers)
        self.admitted += 1
        use = self.last_use
        token = f"gwt_{asked['token'].split('_')[2]}"
        answer = {"use": use, "token": token, "config": asked["config"]} | self.answer
        return web.json_response(text=json.dumps(answer))

    async def recheck(self, request: web.Request) -> web.Response:
        uses = (await request.json())["uses"]
        self.rechecks += 1
        if self.is_away:
            return web.json_response({}, status=503)
        codes = {use: self.over.get(use, self.over.get("*")) for use in uses}
        ended = [{"use": use, "code": code} for use, code in codes.items() if code]
        return web.json_response({"ended": ended})

    async def take_ends(self, request: web.Request) -> web.Response:
        if self.is_away:
            self.refused_reports += 1
            return web.json_response({}, status=503)
        self.ends += (await request.json())["ends"]
        return web.json_response({})


@asynccontextmanager
async def api(directory: Path) -> AsyncIterator[Api]:
    """The stand-in on a socket in the directory."""
    made = Api(str(directory / "admission.sock"))
    application = web.Application()
    application.router.add_post("/internal/v1/admissions", made.admit)
    application.router.add_post("/internal/v1/admissions/recheck", made.recheck)
    application.router.add_post("/internal/v1/admissions/ends", made.take_ends)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, made.socket).start()
    try:
        yield made
    finally:
        await runner.cleanup()
