"""A small server that speaks the injections protocol over a real socket, and can misbehave."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.certificates import Certificate

API_KEY = "ak_CanaryAccount_CanaryKeyId_CanaryKeySecret0123456789"

GATEWAY_TOKEN = "gws_CanaryAccount_CanaryTokenId_CanaryGatewaySecret01234"
GATEWAY_URL = "https://gw.example/gwc_1"

CREATED_MS = 1_700_000_000_000

Answer = tuple[int, dict[str, Any] | bytes, dict[str, str]]
"""Status, what becomes JSON or is it already, and headers."""

Trouble = Callable[["Exchange", Callable[[], Answer]], "Answer | Cut | None"]
"""Given one exchange and what would answer it: another answer, or none to cut the connection."""


@dataclass(frozen=True)
class Cut:
    """The first bytes of an answer, status and headers included, before the connection ends."""

    answer: Answer
    size: int


@dataclass(frozen=True)
class Exchange:
    verb: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class ProtocolServer:
    """The account's secrets, the tokens that were made, and what came over the wire."""

    secrets: dict[str, str] = field(default_factory=dict)
    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)
    spent: dict[str, str | None] = field(default_factory=dict)
    updated: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, list[str]] = field(default_factory=dict)
    gateways: dict[str, dict[str, str]] = field(default_factory=dict)

    def issue(self, names: dict[str, str]) -> str:
        secret = f"CanaryTokenSecret{token_hex(8)}"  # so that no other test's process has it
        token = f"injt_CanaryAccount_{len(self.tokens):021d}_{secret}"
        self.tokens[token] = names
        return token

    def answer(self, exchange: Exchange) -> Answer | Cut | None:
        self.exchanges.append(exchange)
        if self.troubles:
            return self.troubles.pop(0)(exchange, lambda: self._answer(exchange))
        return self._answer(exchange)

    def _answer(self, exchange: Exchange) -> Answer:
        if exchange.path == "/v1/injections/redeem":
            return self._redeem(exchange)
        if exchange.bearer != API_KEY:
            return refusal(401, "unauthenticated", "The API key is missing or not valid.")
        if exchange.path == "/v1/injections":
            return self._create(exchange)
        if exchange.path == "/v1/secrets":
            return self._list(exchange) if exchange.verb == "GET" else self._keep(exchange)
        place = exchange.path.removeprefix("/v1/secrets/").split("/")
        if place[0] == "id":
            named = [name for name in self.secrets if self.row(name)["id"] == place[1]]
            place = [*named, *place[2:]] if named else ["", *place[2:]]
        return self._one(exchange, *place)

    def _create(self, exchange: Exchange) -> Answer:
        ids = {self.row(name)["id"]: name for name in self.secrets}
        names = {each: ids.get(ref, ref) for each, ref in exchange.body["secrets"].items()}
        missing = sorted(set(names.values()) - set(self.secrets))
        if missing:
            return refusal(404, "secrets_missing", f"No such secrets: {', '.join(missing)}.")
        token = self.issue(names)
        self.gateways[token] = {
            name: value
            for prefix in exchange.body.get("gateways", {})
            for name, value in ((prefix, GATEWAY_TOKEN), (f"{prefix}_URL", GATEWAY_URL))
        }
        return 200, {"id": "inj_1", "token": token, "expires_at_ms": 1}, {}

    def _redeem(self, exchange: Exchange) -> Answer:
        nonce = exchange.body.get("redeem_nonce")
        token = exchange.bearer
        if token not in self.tokens or (
            token in self.spent and (nonce is None or self.spent[token] != nonce)
        ):
            return refusal(401, "injection_refused", "The injection token is not valid.")
        self.spent[token] = nonce
        names = self.tokens[token]
        values = {k: self.secrets[v] for k, v in names.items()}
        return 200, {"environment": values | self.gateways.get(token, {})}, {}

    def row(self, name: str) -> dict[str, Any]:
        updated = self.updated.get(name, CREATED_MS)
        row = {"id": secret_id(name), "name": name, "create_time_ms": CREATED_MS}
        return row | {"update_time_ms": updated}

    def _keep(self, exchange: Exchange) -> Answer:
        name, value = exchange.body["name"], exchange.body["value"]
        if name in self.secrets:
            return refusal(400, "secret_name_exists", f"A secret named {name} already exists.")
        self.secrets[name] = value
        return 200, self.row(name), {}

    def _one(self, exchange: Exchange, name: str, action: str = "") -> Answer:
        if name not in self.secrets:
            return refusal(404, "secret_not_found", f"There is no secret named {name}.")
        row = self.row(name)
        if action == "versions":
            return 200, {"versions": self._versions(name)}, {}
        if action == "rollback":
            return self._roll_back(name, exchange.body["version"])
        if action == "delete":
            del self.secrets[name]
        elif exchange.verb == "POST":
            self.replaced.setdefault(name, []).append(self.secrets[name])
            self.secrets[name] = exchange.body["value"]
        return 200, row, {}

    def _versions(self, name: str) -> list[dict[str, Any]]:
        current = len(self.replaced.get(name, [])) + 1
        return [
            {
                "version": number,
                "create_time_ms": CREATED_MS + number,
                "created_by": None if number == 1 else f"key_of_{number}",
                "is_current": number == current,
            }
            for number in range(current, 0, -1)
        ]

    def _roll_back(self, name: str, version: int) -> Answer:
        old = self.replaced.get(name, [])
        if version > len(old):
            return refusal(404, "secret_version_not_found", "There is no such version.")
        old.append(self.secrets[name])
        self.secrets[name] = old[version - 1]
        row = self.row(name)
        return 200, {**row, "version": len(old) + 1, "restored_version": version}, {}

    def _list(self, exchange: Exchange) -> Answer:
        after = exchange.query.get("starting_after", [""])[0]
        limit = int(exchange.query.get("limit", ["20"])[0])
        rows = [self.row(name) for name in self.secrets]
        start = next((i + 1 for i, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[start : start + min(limit, 2)]
        return 200, {"secrets": page, "has_more": start + 2 < len(rows)}, {}


def secret_id(name: str) -> str:
    """The id of the secret of this name."""
    return f"sec_{sha256(name.encode()).hexdigest()[:22]}"


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    body = {"code": code, "message": message, "request_id": "req_1"}
    return status, body, {name.replace("_", "-"): text for name, text in headers.items()}


def as_sent(answer: Answer) -> bytes:
    """An answer as it goes over the wire."""
    status, document, extra = answer
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **extra}
    lines = [f"HTTP/1.0 {status} Because", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def cut_off_after(_: Exchange, proceed: Callable[[], Answer]) -> None:
    """The server does the work, but the answer is lost."""
    proceed()


@contextmanager
def serving(
    secrets: dict[str, str], certificate: Certificate | None = None
) -> Iterator[ProtocolServer]:
    """Serve, by TLS if there is a certificate."""
    state = ProtocolServer(secrets)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._exchange()

        def do_POST(self) -> None:
            self._exchange()

        def log_message(self, *_: object) -> None:
            pass

        def _exchange(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            body = json.loads(raw) if raw else {}
            answer = state.answer(
                Exchange(self.command, url.path, parse_qs(url.query), headers, body)
            )
            if answer is None:
                self.close_connection = True
            elif isinstance(answer, Cut):
                self.close_connection = True
                self.wfile.write(as_sent(answer.answer)[: answer.size])
            else:
                self.wfile.write(as_sent(answer))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.file, certificate.key_file)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            state.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
