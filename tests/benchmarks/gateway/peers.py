"""The gateway beside mitmproxy and nginx, which add a fixed credential, for 8 clients in one run.

All of them pass a request with a prompt on to one nginx with TLS, over kept connections. nginx with
a fixed header is the floor: it decides nothing and reads no answer. mitmproxy has an addon that
sets the header, in an environment of its own that this benchmark makes. The gateway runs twice:
with the API as shipped, which admits and writes a use for each request, and with a stand-in that
admits at once, which shows the cost of carrying.

    python -m tests.benchmarks.gateway.peers
"""

import json
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from tests.benchmarks import wrk
from tests.benchmarks.gateway.chain import CREDENTIAL, answers, chain, program
from tests.benchmarks.wrk import Load
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.api import CONFIG, TOKEN
from tests.support.gateway.process import gateway_process
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[3]
_REQUIREMENTS = _ROOT / "requirements" / "mitmproxy.txt"
_ENVIRONMENT = _ROOT / ".venv" / "mitmproxy"
_WORKERS = 2
_PROMPT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * 200}]})
_REPLY = json.dumps({"id": "msg_1", "content": [{"type": "text", "text": "Hello " * 300}]})
_POST = f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{_PROMPT}'
"""
_ADDON = f"""
def requestheaders(flow):
    flow.request.headers["Authorization"] = "Bearer {CREDENTIAL}"
"""
_NGINX = """
worker_processes {workers};
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/answers;
    keepalive_requests 10000000;
    {servers}
}}
"""
_UPSTREAM = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {file};
    ssl_certificate_key {key_file};
    default_type application/json;
    location / {{
        if ($http_authorization != "Bearer {credential}") {{ return 401; }}
        return 200 '{reply}';
    }}
}}
"""
_FLOOR = """
upstream the_upstream {{ server 127.0.0.1:{upstream}; keepalive 32; keepalive_requests 10000000; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass https://the_upstream;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Authorization "Bearer {credential}";
        proxy_buffering off;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {ca_file};
        proxy_ssl_name localhost;
    }}
}}
"""

Measure = Callable[[], Load]


@click.command()
@click.option("--rounds", default=7, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="Of each measurement.")
def main(rounds: int, seconds: int) -> None:
    """Print rates and latencies; each round measures all of them, one after the other."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-", dir="/var/tmp") as name:
        directory = Path(name)
        with _all(directory, seconds) as measures:
            loads: dict[str, list[Load]] = {each: [] for each in measures}
            for measure in measures.values():
                measure()
            for _ in range(rounds):
                for each, measure in measures.items():
                    loads[each].append(measure())
    for each, found in loads.items():
        click.echo(_line(each, found, loads["nginx"]))


def _line(what: str, found: list[Load], floor: list[Load]) -> str:
    of_floor = [each.rate / base.rate for each, base in zip(found, floor, strict=True)]
    rates, p50, p99 = (
        sorted(getattr(each, name) for each in found) for name in ("rate", "p50", "p99")
    )
    return (
        f"{what:26} {_median(rates, '.0f')}/s; {statistics.median(of_floor):.3f} of nginx; "
        f"p50 {_median(p50, '.2f')} ms, p99 {_median(p99, '.1f')} ms"
    )


def _median(values: list[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    return f"{middle} ({format(values[0], form)} to {format(values[-1], form)})"


@contextmanager
def _all(directory: Path, seconds: int) -> Iterator[Mapping[str, Measure]]:
    """Start everything. Yields what sends load to each."""
    certificate = make_certificate(directory, "127.0.0.1", "localhost")
    upstream = free_port()
    with ExitStack() as running:

        def loaded(url: str, token: str | None = None) -> Measure:
            headers = [f"Authorization: Bearer {token}"] if token else []
            return lambda: wrk.run(url, directory, seconds=seconds, headers=headers, script=_POST)

        floor = running.enter_context(_nginx(directory, upstream, certificate))
        mitmproxy = running.enter_context(_mitmproxy(directory, upstream, certificate))
        gateway = running.enter_context(chain(directory, upstream, certificate))
        stand_in = directory / "stand-in"
        stand_in.mkdir()
        carrier = running.enter_context(
            gateway_process(
                stand_in,
                workers=_WORKERS,
                STRONGROOM_GATEWAY_CA_FILE=str(certificate.ca_file),
            )
        )
        set_headers = [["Authorization", f"Bearer {CREDENTIAL}"]]
        carrier.rig.api.admit_to(
            upstream, scheme="https", set=set_headers, needles=[CREDENTIAL], in_flight=1000
        )
        yield {
            "nginx": loaded(f"{floor}/v1/messages"),
            "gateway": loaded(f"{gateway.url}/v1/messages", gateway.tokens[0]),
            "gateway, stand-in admits": loaded(
                f"http://127.0.0.1:{carrier.rig.port}/{CONFIG}/v1/messages", TOKEN
            ),
            "mitmproxy": loaded(f"{mitmproxy}/v1/messages"),
        }


@contextmanager
def _nginx(directory: Path, upstream: int, certificate: Certificate) -> Iterator[str]:
    """Start the upstream and the floor in one nginx each. Yields the URL of the floor."""
    port = free_port()
    given = {
        "credential": CREDENTIAL,
        "reply": _REPLY,
        "file": certificate.file,
        "key_file": certificate.key_file,
        "ca_file": certificate.ca_file,
        "upstream": upstream,
    }
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as running:
        for name, text, own in (("upstream", _UPSTREAM, upstream), ("floor", _FLOOR, port)):
            place = directory / name
            place.mkdir()
            servers = text.format(port=own, **given)
            configuration = place / "nginx.conf"
            configuration.write_text(
                _NGINX.format(workers=_WORKERS, directory=place, servers=servers)
            )
            command = [require("nginx"), "-c", str(configuration), "-g", "daemon off;"]
            running.enter_context(program(command, {}, place / "log"))
        wait_until(lambda: answers(url))
        yield url


@contextmanager
def _mitmproxy(directory: Path, upstream: int, certificate: Certificate) -> Iterator[str]:
    """Start mitmproxy as a reverse proxy. Yields its URL."""
    _install()
    addon = directory / "addon.py"
    addon.write_text(_ADDON)
    port = free_port()
    options = {
        "confdir": str(directory / "mitmproxy"),
        "ssl_verify_upstream_trusted_ca": str(certificate.ca_file),
        "flow_detail": "0",
        "termlog_verbosity": "error",
    }
    command = [
        str(_ENVIRONMENT / "bin" / "mitmdump"),
        f"--mode=reverse:https://127.0.0.1:{upstream}@127.0.0.1:{port}",
        f"--scripts={addon}",
        *(f"--set={name}={value}" for name, value in options.items()),
    ]
    url = f"http://127.0.0.1:{port}"
    with program(command, {"HOME": str(directory)}, directory / "mitmproxy.log"):
        wait_until(lambda: answers(url))
        yield url


def _install() -> None:
    """Make the environment of mitmproxy, unless it is there with these versions."""
    stamp = _ENVIRONMENT / "requirements.txt"
    if stamp.exists() and stamp.read_text() == _REQUIREMENTS.read_text():
        return
    click.echo("installing mitmproxy into .venv/mitmproxy: once", err=True)
    venv.create(_ENVIRONMENT, clear=True, with_pip=True)
    pip = [str(_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(_REQUIREMENTS)],
        check=True,
        stdout=sys.stderr,
    )
    stamp.write_text(_REQUIREMENTS.read_text())


if __name__ == "__main__":
    main()
