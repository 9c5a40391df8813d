"""Each alert fires when its fault is made on a real server, and none on one that is well."""

import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from tests.support.alerts import Scrapes, alert_names, firing
from tests.support.databases import Row, Rows
from tests.support.ports import free_port
from tests.support.set_clock import SetClock
from tests.support.small_disk import small_disk
from tests.support.strongroom import Strongroom, prepared
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

MEASURED_SECONDS = 90  # twice what a server keeps of its database, and a while for slow machines


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, metrics_port: int) -> Iterator[Strongroom]:
    """A server that is watched, and not started yet."""
    settings = {
        "STRONGROOM_METRICS_BIND": f"127.0.0.1:{metrics_port}",
        "STRONGROOM_WORKERS": "1",
    }
    server = prepared(tmp_path, settings)
    yield server
    server.kill()


def call(server: Strongroom, method: str, path: str, **options: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return requests.request(method, server.url + path, headers=headers, timeout=60, **options)  # type: ignore[arg-type]


def scrape(server: Strongroom) -> str:
    address = server.environment["STRONGROOM_METRICS_BIND"]
    answer = requests.get(f"http://{address}/metrics", timeout=60)
    answer.raise_for_status()
    return answer.text


def scrape_once_it_shows(server: Strongroom, pattern: str) -> str:
    """What the server shows once a line of it is as the pattern says."""
    seen = [""]

    def shows() -> bool:
        seen[0] = scrape(server)
        return re.search(f"^{pattern}$", seen[0], re.MULTILINE) is not None

    wait_until(shows, MEASURED_SECONDS)
    return seen[0]


def inject(server: Strongroom) -> str:
    """Make an injection. Returns its token."""
    call(server, "POST", "/v1/secrets", json={"name": "A_NAME", "value": "a value"})
    made = call(server, "POST", "/v1/injections", json={"secrets": {"A_NAME": "A_NAME"}})
    token: str = made.json()["token"]
    return token


def redeem(server: Strongroom, token: str, **body: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{server.url}/v1/injections/redeem"
    requests.post(url, headers=headers, json=body or None, timeout=60)


def database(server: Strongroom) -> Path:
    return server.home / "strongroom.db"


# Each makes one fault, and returns what the server shows then.


def it_ends(server: Strongroom) -> None:
    server.stop()


def the_database_is_gone(server: Strongroom) -> str:
    server.stop()
    database(server).rename(database(server).with_name("elsewhere"))
    server.launch()
    wait_until(lambda: answers(server))
    call(server, "GET", "/v1/secrets")
    return scrape(server)


def a_writer_is_slow(server: Strongroom) -> str:
    with closing(sqlite3.connect(database(server), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        creating = threading.Thread(target=inject, args=[server])
        creating.start()
        creating.join(2.0)  # it waits for the writer meanwhile
        connection.execute("ROLLBACK")
    creating.join()
    return scrape(server)


def a_token_is_used_twice(server: Strongroom) -> str:
    token = inject(server)
    redeem(server, token)
    redeem(server, token)
    return scrape(server)


def vault_does_not_answer(server: Strongroom) -> str:
    server.stop()
    server.command("account", "create", "without data keys")
    key = server.command("api-key", "create", "without data keys").stdout.split()[-1]
    token = server.home / "token"
    token.write_text("a-token")
    token.chmod(0o600)
    vault = f"vault-transit:http://127.0.0.1:{free_port()}/transit/key?token_file={token}"
    server.launch(STRONGROOM_KEYS=f"{vault} local-fernet:{server.home}/keys")
    wait_until(lambda: answers(server))
    for number in range(3):
        body = {"name": f"NAME_{number}", "value": "a value"}
        headers = {"Authorization": f"Bearer {key}"}
        requests.post(f"{server.url}/v1/secrets", json=body, headers=headers, timeout=60)
    return scrape_once_it_shows(server, r"strongroom_provider_breaker_open\{.*\} 1\.0")


def another_key_is_listed_first(server: Strongroom) -> str:
    server.stop()
    file = server.home / "new-keys"
    file.write_bytes(Fernet.generate_key() + b"\n")
    file.chmod(0o600)
    server.start(STRONGROOM_KEYS=f"local-fernet:{file} local-fernet:{server.home}/keys")
    return scrape_once_it_shows(server, r"strongroom_data_keys_stale [1-9]\.0")


def the_log_has_a_reader_without_end(server: Strongroom) -> str:
    with closing(sqlite3.connect(database(server))) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM secrets").fetchone()
        wal = database(server).with_name("strongroom.db-wal")
        number = 0
        while wal.stat().st_size < 70e6:
            number += 1
            body = {"name": f"NAME_{number}", "value": "x" * 65536}
            call(server, "POST", "/v1/secrets", json=body).raise_for_status()
        return scrape_once_it_shows(server, r"strongroom_database_log_bytes [67]\.[0-9]+e\+07")


def a_row_is_edited(server: Strongroom) -> str:
    token = inject(server)
    with server.rows() as rows:
        rows.edit("injections", {"state": "pending"}, expires_at_ms=10**13)
    redeem(server, token)
    return scrape(server)


def the_log_is_read_by_nobody(server: Strongroom) -> str:
    server.stop()
    server.log = server.log.with_name("unread.log")
    os.mkfifo(server.log)
    reader = os.open(server.log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server.start()
        wait_until(lambda: drops_lines(server), MEASURED_SECONDS)
        return scrape(server)
    finally:
        server.kill()  # before its log ends
        os.close(reader)


def drops_lines(server: Strongroom) -> bool:
    """Write long lines to the log. Returns True if some were dropped."""
    body = {"secrets": {f"VARIABLE_{number}": "A_NAME" for number in range(256)}}
    token = call(server, "POST", "/v1/injections", json=body).json()["token"]
    for _ in range(20):
        redeem(server, token, redeem_nonce="a" * 64)  # whose line names a secret for each variable
    return re.search(r"(?m)^strongroom_log_lines_dropped_total [1-9]", scrape(server)) is not None


def the_root_key_is_taken_away(server: Strongroom) -> str:
    server.stop()
    server.start(STRONGROOM_DATA_KEY_CACHE_SECONDS="4")
    (server.home / "keys").unlink()
    return scrape_once_it_shows(
        server, r'strongroom_warnings_total\{event="root_key_refused",.*\} [1-9].*'
    )


def the_newest_record_is_deleted(server: Strongroom) -> str:
    add_record(server)
    with server.rows() as rows:
        rows.remove("audit_events", id=newest_record(rows)["id"])
    return scrape_once_restarted(server, warnings_of("audit_gap"))


def a_record_is_edited(server: Strongroom) -> str:
    add_record(server)
    with server.rows() as rows:
        rows.edit("audit_events", {"id": newest_record(rows)["id"]}, outcome="refused")
    return scrape_once_restarted(server, warnings_of("audit_damaged"))


def the_newest_record_is_deleted_with_its_counter(server: Strongroom) -> str:
    inject(server)
    with server.rows() as rows:
        rows.execute("BEGIN IMMEDIATE")
        lanes = rows.execute("SELECT account_id, lane, max(n) AS n FROM audit_events GROUP BY 1, 2")
        for lane in lanes:
            place = {name: lane[name] for name in ("account_id", "lane")}
            rows.remove("audit_events", **lane)
            rows.edit("audit_lanes", place, n=lane["n"] - 1)
        rows.execute("COMMIT")
    inject(server)
    return scrape(server)


def heads_are_in_the_way(server: Strongroom) -> str:
    wait_for_head(server)
    add_record(server)
    with server.rows() as rows:
        newest = max(rows.all("audit_heads"), key=lambda head: head["size"])
        for more in range(1, 9):  # more than there are accounts with new records
            rows.plant("audit_heads", {**newest, "size": newest["size"] + more})
    return scrape_once_restarted(server, warnings_of("audit_stuck"))


def nothing_is_sealed(server: Strongroom) -> str:
    """An hour later the records of the next start wait, since no block can be written."""
    wait_for_head(server)
    server.stop()
    with server.rows() as rows:
        rows.execute(
            "CREATE TRIGGER refusing BEFORE INSERT ON audit_blocks BEGIN SELECT refuse(); END"
        )
    add_record(server)
    (server.home / "clock").mkdir()
    clock = SetClock(server.home / "clock")
    clock(3600)
    server.start(**clock.environment())
    scrape_once_it_shows(server, r"strongroom_audit_events_waiting [1-9]\S*")
    return scrape_once_it_shows(server, r"strongroom_audit_head_age_seconds 3[6-9][0-9]{2}\..*")


def add_record(server: Strongroom) -> None:
    """Stop the server, and add a record that nobody has sealed."""
    server.stop()
    server.command("account", "create", f"another {len(server.log_lines())}")


def wait_for_head(server: Strongroom) -> int:
    """Wait until records are sealed. Returns the size of the log."""
    with server.rows() as rows:
        wait_until(lambda: rows.all("audit_heads") != [], MEASURED_SECONDS)
        return max(int(head["size"]) for head in rows.all("audit_heads"))


def newest_record(rows: Rows) -> Row:
    return max(rows.all("audit_events", account_id="_system"), key=lambda record: record["n"])


def warnings_of(event: str) -> str:
    return rf'strongroom_warnings_total\{{event="{event}",.*\}} [1-9]\S*'


def scrape_once_restarted(server: Strongroom, pattern: str) -> str:
    server.start()
    return scrape_once_it_shows(server, pattern)


def answers(server: Strongroom) -> bool:
    try:
        return requests.get(f"{server.url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


Fault = Callable[[Strongroom], str | None]

FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "it ends": (it_ends, {"StrongroomDown"}),
    "the database is gone": (
        the_database_is_gone,
        {"StrongroomDatabaseDown", "StrongroomFails"},
    ),
    "a writer is slow": (a_writer_is_slow, {"StrongroomSlow"}),
    "a token is used twice": (a_token_is_used_twice, {"StrongroomTokenReused"}),
    "Vault does not answer": (
        vault_does_not_answer,
        {"StrongroomProviderDown", "StrongroomFails"},
    ),
    "another key is listed first": (another_key_is_listed_first, {"StrongroomDataKeysStale"}),
    "the log has a reader without end": (
        the_log_has_a_reader_without_end,
        {"StrongroomLogLarge"},
    ),
    "the log is read by nobody": (the_log_is_read_by_nobody, {"StrongroomLogLinesDropped"}),
    "the root key is taken away": (the_root_key_is_taken_away, {"StrongroomRootKeyRefused"}),
    "a row is edited": (a_row_is_edited, {"StrongroomRowDamaged"}),
    "the newest record is deleted": (the_newest_record_is_deleted, {"StrongroomAuditDamaged"}),
    "a record is edited": (a_record_is_edited, {"StrongroomAuditDamaged"}),
    "the newest record is deleted with its counter": (
        the_newest_record_is_deleted_with_its_counter,
        {"StrongroomAuditRolledBack"},
    ),
    "heads are in the way": (
        heads_are_in_the_way,
        {"StrongroomAuditStuck", "StrongroomAuditDamaged"},
    ),
    "nothing is sealed": (nothing_is_sealed, {"StrongroomAuditHeadOld"}),
}

OF_A_FULL_DISK = {"StrongroomDiskFull"}
OF_A_SHORTER_LOG = {"StrongroomAuditLogShrunk"}


def test_every_alert_has_a_fault() -> None:
    alone = OF_A_FULL_DISK | OF_A_SHORTER_LOG
    assert alone.union(*(alerts for _, alerts in FAULTS.values())) == set(alert_names())


@pytest.mark.parametrize("fault", FAULTS)
def test_an_alert_fires_for_its_fault_and_no_other(
    fault: str, server: Strongroom, tmp_path: Path
) -> None:
    make, expected = FAULTS[fault]
    server.start()
    inject(server)
    well = scrape_once_it_shows(server, r"strongroom_workers 1\.0")
    assert firing(Scrapes(well, make(server)), tmp_path) == expected


def test_no_alert_fires_while_all_is_well(server: Strongroom, tmp_path: Path) -> None:
    server.start()
    well = scrape_once_it_shows(server, r"strongroom_workers 1\.0")
    redeem(server, inject(server))
    assert firing(Scrapes(well, scrape(server)), tmp_path) == set()


def test_the_alert_of_a_full_disk_fires_on_a_small_one(server: Strongroom, tmp_path: Path) -> None:
    server.start()
    well = scrape_once_it_shows(server, r"strongroom_workers 1\.0")
    server.stop()
    with small_disk(tmp_path / "disk") as disk:
        shutil.copytree(server.home, disk.path / "home")
        (disk.path / "home").chmod(0o700)
        server.start(STRONGROOM_HOME=str(disk.path / "home"))
        found = firing(Scrapes(well, scrape(server)), tmp_path)
        server.stop()
    assert found == OF_A_FULL_DISK


def test_the_alert_of_a_shorter_log_fires_for_an_old_database(
    server: Strongroom, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    server.start()
    size = wait_for_head(server)
    server.stop()
    shutil.copy(database(server), old)
    add_record(server)
    server.start()
    well = scrape_once_it_shows(server, rf"strongroom_audit_log_size (?!{size}\.0)\S+")
    server.stop()
    for each in server.home.glob("strongroom.db-*"):
        each.unlink()
    shutil.copy(old, database(server))
    server.start()
    assert firing(Scrapes(well, scrape(server)), tmp_path) == OF_A_SHORTER_LOG
