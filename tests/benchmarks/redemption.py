"""Redeeming injections of 50 secrets beside OpenBao reading 50 secrets, in one run.

OpenBao has no call for many secrets, so there it is 50 reads; it runs on raft storage with KV v2.
Strongroom runs as shipped. A redemption uses its token up: the tokens are made before each run, or
for the second line in it.

    python -m tests.benchmarks.redemption
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from app.domain.secrets import SecretValue
from tests.benchmarks import wrk
from tests.benchmarks.paired import Comparison, compare
from tests.benchmarks.servers import MeasuredServer, strongroom
from tests.benchmarks.wrk import Load
from tests.support.openbao import OpenBao, openbao_server

SECRETS = 50
_NAMES = [f"SECRET_{number:02}" for number in range(SECRETS)]
_WANTED = {name: name for name in _NAMES}
_VALUE = "correct horse battery staple, 40 bytes.."
_TOKENS = 2500  # more than one second can use
_ROUNDS = 7

_READ = """
local number = 0
request = function()
    number = (number + 1) % 50
    return wrk.format("GET", string.format("/v1/kv/data/SECRET_%02d", number))
end
"""

REDEEM = """
local tokens = {}
init = function(arguments)
    for line in io.lines(arguments[1]) do tokens[#tokens + 1] = line end
end
local number = 0
request = function()
    number = number + 1
    return wrk.format("POST", "/v1/injections/redeem", {
        ["Authorization"] = "Bearer " .. (tokens[number] or "used up"),
    })
end
"""

# Twice as many requests as injections: each token that a creation gives is redeemed next.
_CREATE_AND_REDEEM = """
local tokens, key, wanted = {}, nil, nil
init = function(arguments)
    local lines = io.lines(arguments[1])
    key, wanted = lines(), lines()
end
request = function()
    local token = table.remove(tokens)
    local headers = {["Authorization"] = "Bearer " .. (token or key)}
    if token then return wrk.format("POST", "/v1/injections/redeem", headers) end
    headers["Content-Type"] = "application/json"
    return wrk.format("POST", "/v1/injections", headers, wanted)
end
response = function(status, headers, body)
    local token = body:match('"token":"([^"]+)"')
    if token then tokens[#tokens + 1] = token end
end
"""


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bao_directory = directory / "openbao"
        bao_directory.mkdir()
        with (
            openbao_server(bao_directory, storage="raft") as bao,
            strongroom(directory / "strongroom") as ours,
        ):
            _fill(ours)
            read = _reading(bao, directory)
            redeem = _redeeming(ours, directory)
            _print("redeem 50", compare(read, redeem, _ROUNDS))
            both = _creating_and_redeeming(ours, directory)
            _print("create and redeem 50", compare(read, both, _ROUNDS))


def _fill(ours: MeasuredServer) -> None:
    for name in _NAMES:
        ours.services.secrets.create(ours.caller, name, SecretValue(_VALUE), None)


def _reading(bao: OpenBao, directory: Path) -> Callable[[], Load]:
    bao.mount_kv()
    for name in _NAMES:
        bao.api("POST", f"kv/data/{name}", {"data": {"value": _VALUE}})
    header = f"X-Vault-Token: {bao.root_token}"

    def read() -> Load:
        load = wrk.run(bao.address, directory, headers=[header], script=_READ)
        return Load(load.rate / SECRETS, load.p50 * SECRETS, load.p99 * SECRETS)

    return read


def _redeeming(ours: MeasuredServer, directory: Path) -> Callable[[], Load]:
    file = directory / "tokens"

    def redeem() -> Load:
        issued = [
            ours.services.injections.create(ours.caller, _WANTED, 3600, None).token.reveal()
            for _ in range(_TOKENS)
        ]
        file.write_text("\n".join(issued) + "\n")
        return wrk.run(ours.url, directory, script=REDEEM, arguments=[str(file)])

    return redeem


def _creating_and_redeeming(ours: MeasuredServer, directory: Path) -> Callable[[], Load]:
    file = directory / "creation"
    file.write_text(f"{ours.token}\n{json.dumps({'secrets': _WANTED})}\n")

    def create_and_redeem() -> Load:
        load = wrk.run(ours.url, directory, script=_CREATE_AND_REDEEM, arguments=[str(file)])
        return Load(load.rate / 2, load.p50 * 2, load.p99 * 2)

    return create_and_redeem


def _print(what: str, found: Comparison) -> None:
    click.echo(
        f"{what}: {found.throughput:.2f} x the throughput, {found.latency:.2f} x the latency; "
        f"{found.load.rate:.0f}/s, p50 {found.load.p50:.2f} ms, p99 {found.load.p99:.2f} ms; "
        f"OpenBao {found.base.rate:.0f}/s, p50 {found.base.p50:.2f} ms"
    )


if __name__ == "__main__":
    main()
