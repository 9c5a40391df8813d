"""``docs/production.md`` and ``docs/scaling.md``, typed in their order on a fresh machine.

They make a server, upgrade it, and set a second node beside it.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.certificates import make_certificate
from tests.support.fresh_machine import run_on_fresh_machine

# PostgreSQL, nginx, and three starts of the server, with nothing compiled before the first.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

_DOCS = Path(__file__).parents[2] / "docs"
_PAGE, _OF_NODES = _DOCS / "production.md", _DOCS / "scaling.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OF_POSTGRESQL = ("The database", "Settings", "Put a dump back")

# At the beginning, the operator has a certificate for the server.
_DESK = """
mkdir /root/desk
cp {directory}/server.pem /root/desk/fullchain.pem
cp {directory}/server.key /root/desk/privkey.pem
cp {directory}/ca.pem /usr/share/ca.pem
export CURL_CA_BUNDLE=/usr/share/ca.pem
"""

# Each of these is a promise of the page or of the files that it installs.
_LOOK = """
cd /root/desk
echo 'WHO SERVES'
ps axo user:20,args >processes
sed --quiet --regexp-extended \\
    's/^([a-z-]+) .*(gunicorn|nginx: master|nginx: worker).*/\\1 \\2/p' processes | sort --unique
echo 'A KEY WITHOUT INJECT'
ask() {
    curl --silent --show-error --output /dev/null --write-out '%{http_code}\\n' \\
        --header "Authorization: Bearer $(cat "$1")" "${@:2}"
}
api=https://secrets.example.org/v1
ask acme.key --json '{"name": "SHOP_KEY", "value": "a value"}' $api/secrets
ask acme.key --json '{"secrets": {"SHOP_KEY": "SHOP_KEY"}}' $api/injections
echo 'A KEY THAT INJECTS'
ask shop.key --json '{"secrets": {"SHOP_KEY": "SHOP_KEY"}}' $api/injections
ask shop.key $api/secrets
echo 'WHAT THE SERVICE CAN READ'
for each in /etc/strongroom/*_url /etc/strongroom/tls.key; do
    runuser --user strongroom -- test -r "$each" && basename "$each"
done || true
echo 'WHAT NGINX CAN READ'
for each in /etc/strongroom/*_url /etc/strongroom/tls.key /var/lib/strongroom/keys; do
    runuser --user www-data -- test -r "$each" && basename "$each"
done || true
echo 'CLIENT COMMANDS'
strongroom-operator run -- true 2>&1 || echo "exit $?"
"""


_LOSE_A_NODE = """
kill -9 -- -$(cat /run/units/strongroom)
for _ in 1 2 3 4 5; do
    curl --fail --silent --show-error --retry 5 https://secrets.example.org/readyz
done
(
set -eu
cd /root/desk
curl --fail --silent --show-error --output /dev/null \\
    --header "Authorization: Bearer $(cat acme.key)" \\
    --json '{"name": "WHILE_ONE_IS_LOST", "value": "a value"}' https://secrets.example.org/v1/secrets
)
systemctl start strongroom
curl --fail --silent --show-error --retry 5 http://127.0.0.1:8080/readyz
"""


def typed(page: Path, *left_out: str) -> str:
    """The commands of each section, typed into a new shell in the operator's directory."""
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    scripts = []
    for section in sections:
        title, _, text = section.partition("\n")
        commands = "".join(block for block in _BLOCK.findall(text) if not _is_for(block, left_out))
        if commands and title not in left_out:
            scripts.append(f"(\nset -euxo pipefail\ncd /root/desk\n{commands})")
    return "\n".join(scripts)


def _is_for(block: str, left_out: tuple[str, ...]) -> bool:
    return "pg_dump" in block and bool(left_out)


def follow(script: str) -> dict[str, list[str]]:
    """Follow the page on a fresh machine. Returns what is there to see in the end, by headline."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        place = Path(directory)
        make_certificate(place, "secrets.example.org")
        done = run_on_fresh_machine(place, _DESK.format(directory=place) + script + _LOOK)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    seen: dict[str, list[str]] = {}
    for line in done.stdout.partition("WHO SERVES")[2].splitlines():
        if line.isupper() and " " in line:
            seen[line] = []
        elif seen:
            seen[next(reversed(seen))].append(line)
        elif line:
            seen.setdefault("WHO SERVES", []).append(line)
    return seen


@pytest.fixture(scope="module")
def on_postgresql() -> dict[str, list[str]]:
    """Both pages as they are, with all machines in one."""
    return follow("\n".join([typed(_PAGE), typed(_OF_NODES), _LOSE_A_NODE]))


def test_two_nodes_serve_on_postgresql_while_one_is_lost_and_after_it(
    on_postgresql: dict[str, list[str]],
) -> None:
    assert on_postgresql["A KEY WITHOUT INJECT"] == ["200", "403"]
    assert on_postgresql["A KEY THAT INJECTS"] == ["200", "403"]


def test_nothing_but_the_master_of_nginx_serves_as_root(
    on_postgresql: dict[str, list[str]],
) -> None:
    assert on_postgresql["WHO SERVES"] == [
        "root nginx: master",
        "strongroom gunicorn",
        "www-data nginx: worker",
    ]


def test_the_service_can_read_its_own_address_alone(on_postgresql: dict[str, list[str]]) -> None:
    assert on_postgresql["WHAT THE SERVICE CAN READ"] == ["server_url"]
    assert on_postgresql["WHAT NGINX CAN READ"] == []


def test_a_clients_command_is_refused_to_the_operator(on_postgresql: dict[str, list[str]]) -> None:
    said, code = on_postgresql["CLIENT COMMANDS"]
    assert (said.startswith("strongroom-operator: run is a client's command"), code) == (
        True,
        "exit 2",
    )


def test_the_page_leads_to_a_server_on_sqlite_with_backups() -> None:
    script = typed(_PAGE, *_OF_POSTGRESQL) + "\nsystemctl start strongroom-backup\n"
    seen = follow(script + "test -s /var/lib/strongroom-backups/*.backup\n")
    assert seen["A KEY THAT INJECTS"] == ["200", "403"]
