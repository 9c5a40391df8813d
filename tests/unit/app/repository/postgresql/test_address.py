"""Addresses of PostgreSQL: the permitted ones, the refused ones, and the environment's part."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect
from app.repository.postgresql.address import (
    LONGEST,
    MOST_HOSTS,
    PERMITTED,
    STATED,
    parse_address,
)
from app.repository.postgresql.connections import SESSION_SETTINGS
from app.repository.postgresql.connections import connect as open_connection
from tests.support.postgresql import PostgresqlServer

CANARY = "canary_4b1f"
CA = "sslrootcert=/etc/ssl/db.pem"
NETWORK = f"postgresql://db.example/d?user=u&{CA}"
LOOPBACK = "postgresql://u@127.0.0.1/d"


def parameters(url: str) -> Mapping[str, str]:
    return parse_address(url).parameters


def refusal(url: str) -> str:
    with pytest.raises(DatabaseMisconfigured) as caught:
        parse_address(url)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"postgres://u@db.example/d?{CA}", {"host": "db.example", "port": "5432"}),
        (f"postgresql://u@a,b:5433,c/d?{CA}", {"host": "a,b,c", "port": "5432,5433,5432"}),
        (f"postgresql://u@a,b/d?port=5433&{CA}", {"host": "a,b", "port": "5433"}),
        (f"postgresql://u@[2001:db8::1]:5433/d?{CA}", {"host": "2001:db8::1", "port": "5433"}),
        ("postgresql://u@%2Frun%2Fpostgresql/d", {"host": "/run/postgresql"}),
        ("postgresql:///d?user=u&host=/run/postgresql", {"host": "/run/postgresql"}),
        ("postgresql://u%40x:p%2F%3A%25@127.0.0.1/d", {"user": "u@x", "password": "p/:%"}),
        ("postgresql://u@127.0.0.1/d%C3%A9", {"dbname": "dé"}),
        ("postgresql://u@db.example/d?sslrootcert=system&sslmode=verify-full", {"user": "u"}),
    ],
)
def test_an_address_is_read_into_its_parts(url: str, expected: Mapping[str, str]) -> None:
    assert expected.items() <= parameters(url).items()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql:///d?user=u", "the host is missing"),
        ("postgresql://u@127.0.0.1", "the dbname is missing"),
        ("postgresql://127.0.0.1/d", "the user is missing"),
        ("postgresql://u@a,,b/d", "a host in the list is empty"),
        ("postgresql://u@a/d?hostaddr=10.0.0.1,10.0.0.2", "as many addresses"),
        ("postgresql://u@127.0.0.1:0/d", "each port"),
        ("postgresql://u@127.0.0.1:65536/d", "each port"),
        ("postgresql://u@127.0.0.1/d?port=%D9%A1", "each port"),
        ("postgresql://u@a,b/d?port=1,2,3", "each port"),
        ("postgresql://u@127.0.0.1/d?sslmode=never", "no such sslmode"),
        ("postgresql://u@127.0.0.1/d?channel_binding=disable", "channel_binding"),
        ("postgresql://u@127.0.0.1/d%0A", "control characters"),
        (f"postgresql://u@{','.join(['a'] * (MOST_HOSTS + 1))}/d", f"at most {MOST_HOSTS} hosts"),
    ],
)
def test_a_wrong_part_is_named(url: str, sentence: str) -> None:
    assert sentence in refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@[::1/d",
        f"postgresql://u:{CANARY}@127.0.0.1/d?{CANARY}",
        f"postgresql://u:{CANARY}@127.0.0.1/d%zz",
        f"postgresql://u:{CANARY}%00@127.0.0.1/d",
        f"postgresql://u:{CANARY}@127.0.0.1/d?options=-c%20{CANARY}",
        f"postgresql://u:{CANARY}@127.0.0.1/d?sslmode={CANARY}",
        f"postgresql://u:{CANARY}@127.0.0.1:{CANARY}/d",
        f"postgresql://u:{CANARY}@{CANARY}/d?sslmode=disable",
        f"postgresql://u:{CANARY}@127.0.0.1/d\n",
        f"postgresql://u:{CANARY}@127.0.0.1/{'d' * LONGEST}",
    ],
)
def test_a_refusal_names_the_setting_and_never_the_address(url: str) -> None:
    said = refusal(url)
    assert said.startswith("STRONGROOM_DATABASE_URL")
    assert CANARY not in said


@pytest.mark.parametrize(
    "given",
    [
        *("options=-c%20default_transaction_read_only%3Doff", "service=s", "gssencmode=prefer"),
        *("target_session_attrs=any", "require_auth=none", "replication=database"),
        *("ssl_min_protocol_version=TLSv1", "client_encoding=LATIN1", "connect_timeout=0"),
        *("sslkeylogfile=/tmp/keys", "application_name=other", "nonsense=1"),
    ],
)
def test_no_parameter_is_permitted_but_those_that_are_listed(given: str) -> None:
    said = refusal(f"{LOOPBACK}?{given}")
    assert said.startswith("STRONGROOM_DATABASE_URL")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize(
    "place",
    [
        "db.example/d?",
        "127.0.0.1,db.example/d?",
        "%2Frun%2Fpostgresql,db.example/d?",
        "localhost/d?hostaddr=10.0.0.1&",
        "%2Frun%2Fpostgresql/d?hostaddr=10.0.0.1&",
        "localhost.example/d?",
        "127.1/d?",
        "[::ffff:127.0.0.1]/d?",
    ],
)
def test_over_a_network_nothing_but_a_verified_name_is_permitted(place: str, mode: str) -> None:
    assert "verify-full" in refusal(f"postgresql://u@{place}{CA}&sslmode={mode}")


def test_the_last_of_two_equal_parameters_is_the_one_that_counts() -> None:
    assert "verify-full" in refusal(f"{NETWORK}&sslmode=verify-full&sslmode=disable")


def test_over_a_network_the_certificate_authority_must_be_named() -> None:
    assert "sslrootcert is missing" in refusal("postgresql://u@db.example/d")


def test_over_a_network_the_name_is_verified_unasked() -> None:
    assert parameters(NETWORK)["sslmode"] == "verify-full"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1,localhost"])
@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_over_loopback_tls_is_the_operators_choice(host: str, mode: str) -> None:
    assert parameters(f"postgresql://u@{host}/d?sslmode={mode}")["sslmode"] == mode


def test_a_password_is_proved_and_never_sent() -> None:
    assert parameters("postgresql://u:p@127.0.0.1/d")["require_auth"] == "scram-sha-256"
    assert parameters(LOOPBACK)["require_auth"] == "!password,!md5"


def test_an_address_shows_neither_itself_nor_its_password() -> None:
    address = parse_address(f"postgresql://{CANARY}:{CANARY}@127.0.0.1/{CANARY}")
    assert CANARY not in f"{address!r} {address}"


def test_a_database_shows_no_address() -> None:
    database = connect(f"postgresql://{CANARY}:{CANARY}@127.0.0.1/{CANARY}")
    assert CANARY not in f"{database!r} {database}"


# What follows is about libpq's own environment variables.

HARMLESS = {
    "service": "fills in only what is not stated",
    "user": "required",
    "password": "goes only to a server that is verified or of this machine, by SCRAM",
    "passfile": "the same",
    "dbname": "required",
    "host": "required",
    "hostaddr": "stated over loopback; over a network the name is verified whatever the address",
    "sslcert": "identifies us, not the server",
    "sslkey": "the same",
    "sslcertmode": "the same",
    "sslcrl": "can only refuse more",
    "sslcrldir": "the same",
    "sslsni": "the name is verified with or without",
    "requirepeer": "can only refuse more",
    "sslrootcert": "required over a network",
    "min_protocol_version": "can only refuse more",
    "max_protocol_version": "both versions are equal to us",
    "krbsrvname": "for GSSAPI, which is disabled",
    "gsslib": "the same",
}
STATED_ELSEWHERE = {
    *("port", "channel_binding", "require_auth", "sslmode"),
    *("connect_timeout", "options", "application_name", "target_session_attrs"),
}


def test_every_variable_of_libpq_is_stated_or_known_to_be_harmless() -> None:
    variables = {each.keyword.decode() for each in pq.Conninfo.get_defaults() if each.envvar}
    assert variables == {*HARMLESS, *STATED_ELSEWHERE, *STATED}
    assert not HARMLESS.keys() & {*STATED, *STATED_ELSEWHERE}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGSSLMODE", "disable"),
        ("PGSSLNEGOTIATION", "direct"),
        ("PGOPTIONS", "-c default_transaction_read_only=off -c lock_timeout=0"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGCLIENTENCODING", "LATIN1"),
        ("PGREQUIREAUTH", "password"),
        ("PGHOST", "198.51.100.1"),
        ("PGHOSTADDR", "198.51.100.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "nowhere"),
        ("PGGSSENCMODE", "require"),
        ("PGSSLMINPROTOCOLVERSION", "TLSv1"),
        ("PGLOADBALANCEHOSTS", "random"),
        ("PGCHANNELBINDING", "require"),
        ("PGCONNECT_TIMEOUT", "1000"),
    ],
)
def test_a_variable_of_libpq_changes_no_session(
    variable: str, value: str, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with closing(
        open_connection(parse_address(postgresql.url("postgres", user="postgres")))
    ) as connection:
        shown = {name: show(connection, name) for name in SESSION_SETTINGS}
        assert shown == SESSION_SETTINGS
        assert show(connection, "client_encoding") == "UTF8"
        assert connection.info.hostaddr == "127.0.0.1"
        assert (connection.info.user, connection.info.dbname) == ("postgres", "postgres")


def test_a_service_file_changes_no_session(
    postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text(
        "[other]\nhost=198.51.100.1\nhostaddr=198.51.100.1\nport=1\nuser=x\ndbname=x\n"
        "sslmode=disable\noptions=-c lock_timeout=0\ntarget_session_attrs=any\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "other")
    with closing(
        open_connection(parse_address(postgresql.url("postgres", user="postgres")))
    ) as connection:
        assert connection.info.hostaddr == "127.0.0.1"
        assert show(connection, "lock_timeout") == SESSION_SETTINGS["lock_timeout"]


def test_a_unix_socket_stays_one_whatever_the_environment_says(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql:///postgres?user=postgres&host={postgresql.directory}&port={postgresql.port}"
    with closing(open_connection(parse_address(url))) as connection:
        assert not connection.pgconn.ssl_in_use
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")  # a server without TLS
    monkeypatch.setenv("PGSSLMODE", "disable")
    with pytest.raises(psycopg.OperationalError):
        open_connection(parse_address(url)).close()


def show(connection: psycopg.Connection[tuple[str]], name: str) -> str:
    row = connection.execute(f"SHOW {name}".encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_parameters_that_are_permitted_are_not_stated() -> None:
    assert not PERMITTED & STATED.keys()
