"""``strongroom secret import``: all names of a file, or one message and nothing written."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.unit.app.client.conftest import Secret
from tests.unit.app.client.protocol_server import Answer, Exchange, ProtocolServer, refusal
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

THREE = "A='canary a'\nB=canary-b\nC=\"canary\\nc\"\n"
VALUES = {"A": "canary a", "B": "canary-b", "C": "canary\nc"}


@pytest.fixture(autouse=True)
def empty_account(server: ProtocolServer) -> None:
    server.secrets.clear()


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text(THREE)
    return file


def writes(server: ProtocolServer) -> list[Exchange]:
    return [exchange for exchange in server.exchanges if exchange.verb == "POST"]


def refuse(name: str, status: int = 400) -> Callable[[Exchange, Callable[[], Answer]], Answer]:
    """The server refuses to create this name, and nothing else."""

    def trouble(exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
        if exchange.body.get("name") != name:
            return proceed()
        return refusal(status, "no", f"No {name}.", x_should_retry="false")

    return trouble


def test_every_name_of_the_file_becomes_a_secret(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    result = secret("import", ".env")
    assert (result.returncode, server.secrets) == (0, VALUES)
    assert (result.stdout, result.stderr) == (b"", b"strongroom secret import: 3 created.\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-",), THREE),
        (("-", "--format", "json"), json.dumps(VALUES)),
        (("-", "--format", "yaml"), 'A: canary a\nB: canary-b\nC: "canary\\nc"\n'),
    ],
    ids=["env", "json", "yaml"],
)
def test_standard_input_may_be_the_file(
    secret: Secret, server: ProtocolServer, arguments: tuple[str, ...], text: str
) -> None:
    result = secret("import", *arguments, given=text.encode())
    assert (result.returncode, server.secrets) == (0, VALUES)


def test_standard_input_may_be_a_socket(
    server: ProtocolServer, environment: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(THREE.encode())
        ours.shutdown(socket.SHUT_WR)
        command = ["strongroom", "secret", "import", "-"]
        subprocess.run(command, stdin=theirs.fileno(), env=environment, cwd=tmp_path, check=True)
    assert server.secrets == VALUES


def test_standard_input_that_is_a_terminal_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = ["strongroom", "secret", "import", "-"]
    with PseudoTerminal(command, environment | {"TERM": "xterm"}, tmp_path) as terminal:
        terminal.expect("standard input: is a terminal, which would show the values")
        assert terminal.wait() == 125


@pytest.mark.parametrize("name", ["some.env", "some"])
def test_a_directory_is_refused(secret: Secret, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    result = secret("import", name)
    assert result.returncode == 125
    assert f"{name}: cannot be read (Is a directory).".encode() in result.stderr


def test_a_format_that_is_named_wins_over_the_files_name(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    secret("import", ".env", "--format", "docker")
    assert server.secrets == {"A": "'canary a'", "B": "canary-b", "C": '"canary\\nc"'}


def test_a_name_that_exists_stops_all_and_names_both_ways_out(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    server.secrets["B"] = "before"
    result = secret("import", ".env")
    assert result.returncode == 125
    assert b"--update replaces their values, --skip leaves them): B.\n" in result.stderr
    assert (server.secrets, writes(server)) == ({"B": "before"}, [])


def test_skip_leaves_names_that_exist(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    server.secrets["B"] = "before"
    result = secret("import", ".env", "--skip")
    assert result.stderr == b"strongroom secret import: 2 created, 1 skipped.\n"
    assert server.secrets == VALUES | {"B": "before"}


def test_update_replaces_the_values_of_names_that_exist(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    server.secrets["B"] = "before"
    result = secret("import", ".env", "--update")
    assert result.stderr == b"strongroom secret import: 2 created, 1 replaced.\n"
    assert server.secrets == VALUES


def test_update_and_skip_exclude_each_other(secret: Secret, env_file: Path) -> None:
    assert secret("import", ".env", "--update", "--skip").returncode == 125


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    server.secrets["B"] = "before"
    result = secret("import", ".env", "--dry-run")
    lines = [line.split(maxsplit=1) for line in result.stdout.decode().splitlines()]
    assert (result.returncode, lines[1:]) == (
        0,
        [["A", "new"], ["B", "exists, value not compared"], ["C", "new"]],
    )
    assert writes(server) == []


def test_a_dry_run_shows_what_would_be_refused_beside_the_other_names(
    secret: Secret, env_file: Path
) -> None:
    env_file.write_text(f"A=1\nB={'x' * 65537}\nA=2\n")
    result = secret("import", ".env", "--dry-run")
    lines = [line.split(maxsplit=1)[1] for line in result.stdout.decode().splitlines()]
    assert (result.returncode, lines[1:]) == (
        125,
        [
            "new",
            "refused: line 2: the value is longer than 65536 bytes",
            "refused: line 3: the name is given already, in line 1",
        ],
    )


def test_a_dry_run_shows_no_name_of_a_file_that_is_broken(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    env_file.write_text('KEY="-----BEGIN\ncanary=\n')
    result = secret("import", ".env", "--dry-run")
    assert (result.returncode, result.stdout, server.exchanges) == (125, b"", [])
    assert b"canary" not in result.stderr


def test_every_fault_is_named_at_once_before_the_server_is_asked(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    env_file.write_text("1A=canary\nB\nC=canary\nC=canary\nD='canary' canary\n")
    result = secret("import", ".env", "--update", "--skip", RUNLOOP_API_KEY="")
    named = ["RUNLOOP_API_KEY", "--skip", *(f".env, line {number}:" for number in (1, 2, 4, 5))]
    assert [each for each in named if each.encode() not in result.stderr] == []
    assert (result.returncode, server.exchanges) == (125, [])
    assert b"canary" not in result.stderr


def test_many_faults_are_counted_after_the_first_ones(secret: Secret, env_file: Path) -> None:
    env_file.write_text("no equals\n" * 100)
    result = secret("import", ".env")
    assert b".env, line 20:" in result.stderr
    assert b".env, line 21:" not in result.stderr
    assert b".env: 80 more faults." in result.stderr


def test_a_value_that_was_typed_as_the_file_is_not_repeated(secret: Secret) -> None:
    result = secret("import", "NAME=canary")
    assert (result.returncode, b"canary" in result.stderr) == (125, False)


@pytest.mark.parametrize("arguments", [(), (".env", "canary")])
def test_anything_but_one_file_is_refused_and_not_repeated(
    secret: Secret, server: ProtocolServer, arguments: tuple[str, ...]
) -> None:
    result = secret("import", *arguments)
    assert result.returncode == 125
    assert b"one FILE is expected, and nothing else." in result.stderr
    assert (b"canary" in result.stderr, server.exchanges) == (False, [])


def test_a_dry_run_cannot_know_if_the_server_admits_hyphens(secret: Secret) -> None:
    result = secret("import", "-", "--dry-run", given=b"A-B=1\n")
    assert b"A-B   new, unless the server refuses the hyphen\n" in result.stdout


@pytest.mark.parametrize("name", ["env.local", "nowhere/.env"])
def test_a_file_that_does_not_exist_is_called_so(secret: Secret, name: str) -> None:
    done = secret("import", name)
    assert done.returncode == 125
    assert done.stderr.decode().splitlines()[1:] == [
        f"  {name}: cannot be read (No such file or directory)."
    ]


def test_a_file_whose_name_shows_no_format_needs_one(secret: Secret, tmp_path: Path) -> None:
    (tmp_path / "secrets.txt").write_text("NAME=canary\n")
    result = secret("import", "secrets.txt")
    assert (result.returncode, b"--format env|docker|json|yaml" in result.stderr) == (125, True)


def test_one_refused_name_loses_no_other(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    server.troubles += [refuse("B")] * 10
    result = secret("import", ".env")
    assert (result.returncode, set(server.secrets)) == (6, {"A", "C"})
    assert result.stderr.decode().splitlines() == [
        "strongroom secret import: B: the server responded with 400: No B. · no · req_1",
        "strongroom secret import: 2 created, 1 failed. To go on, run it again with --skip.",
    ]


def test_a_name_that_appears_meanwhile_is_a_failure_of_that_name(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    def meanwhile(_: Exchange, proceed: Callable[[], Answer]) -> Answer:
        answer = proceed()
        server.secrets["B"] = "theirs"
        return answer

    server.troubles.append(meanwhile)
    result = secret("import", ".env")
    assert (result.returncode, server.secrets) == (6, VALUES | {"B": "theirs"})


def test_if_nothing_could_be_imported_the_exit_code_is_that_of_the_failures(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    env_file.write_text("B=1\n")
    server.troubles += [refuse("B")] * 10
    assert secret("import", ".env").returncode == 123


def test_a_key_that_may_not_write_is_refused_without_asking_for_every_name(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    env_file.write_text("".join(f"N{i:02}=x\n" for i in range(100)))
    server.troubles += [
        lambda exchange, proceed: (
            refusal(403, "scope_missing", "No.") if exchange.verb == "POST" else proceed()
        )
    ] * 200
    result = secret("import", ".env")
    assert (result.returncode, b"not begun" in result.stderr) == (123, True)
    assert len(writes(server)) <= 4


def test_a_server_that_goes_away_ends_the_import_and_a_second_run_completes_it(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    names = [f"N{i:02}" for i in range(40)]
    env_file.write_text("".join(f"{name}=x\n" for name in names))
    away_for_long = refusal(503, "away", "Away.", Retry_After="999")
    server.troubles += [lambda _, proceed: proceed()] * 10 + [lambda _, __: away_for_long] * 200
    away = secret("import", ".env")
    assert (away.returncode, b"not begun" in away.stderr) == (6, True)
    server.troubles.clear()
    again = secret("import", ".env", "--skip")
    assert (again.returncode, server.secrets) == (0, dict.fromkeys(names, "x"))


def test_names_of_a_large_account_are_looked_up_one_by_one(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    rows = [server.row("OTHER") | {"id": f"sec_{i}", "name": f"S{i}"} for i in range(5000)]
    server.troubles.append(lambda _, __: (200, {"secrets": rows, "has_more": True}, {}))
    server.secrets["B"] = "before"
    assert secret("import", ".env", "--skip").returncode == 0
    assert server.secrets == VALUES | {"B": "before"}
    looked_up = [each.path for each in server.exchanges if each.verb == "GET"][1:]
    assert sorted(looked_up) == ["/v1/secrets/A", "/v1/secrets/B", "/v1/secrets/C"]


class Gate:
    """Lets requests wait inside the server, and counts how many do so at once."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange, proceed: Callable[[], Answer]) -> Answer:
        if exchange.verb == "POST":
            with self._pass():
                assert self.opened.wait(60)
        return proceed()

    @contextmanager
    def _pass(self) -> Iterator[None]:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        yield
        with self._lock:
            self.inside -= 1


def test_four_names_are_sent_at_once_and_no_more(
    secret: Secret, server: ProtocolServer, env_file: Path
) -> None:
    env_file.write_text("".join(f"N{i:02}=x\n" for i in range(30)))
    gate = Gate()
    server.troubles += [gate] * 31

    def open_when_four_wait() -> None:
        wait_until(lambda: gate.inside == 4)
        gate.opened.set()

    opener = threading.Thread(target=open_when_four_wait)
    opener.start()
    assert secret("import", ".env").returncode == 0
    opener.join()
    assert (len(server.secrets), len(server.exchanges), gate.most) == (30, 31, 4)


@pytest.fixture
def terminal(
    environment: dict[str, str], tmp_path: Path, env_file: Path
) -> Iterator[PseudoTerminal]:
    command = ["strongroom", "secret", "import", ".env"]
    with PseudoTerminal(command, environment | {"TERM": "xterm"}, tmp_path) as terminal:
        yield terminal


def test_a_terminal_shows_the_progress(terminal: PseudoTerminal) -> None:
    terminal.expect("importing")
    terminal.expect("3/3")
    terminal.expect("3 created")
    assert terminal.wait() == 0


def test_the_bar_fits_into_a_narrow_terminal(terminal: PseudoTerminal) -> None:
    terminal.resize(24, 40)
    drawn = re.split("[\r\n]+", re.sub(r"\x1b\[\?25[hl]", "", terminal.rest()))
    bars = [line for line in drawn if line.startswith("importing")]
    assert bars[-1].endswith("3/3")
    assert {len(bar) for bar in bars} == {40}


def test_ctrl_c_before_anything_is_sent_says_so(
    server: ProtocolServer, terminal: PseudoTerminal
) -> None:
    listing, go_on = threading.Event(), threading.Event()

    def wait(_: Exchange, proceed: Callable[[], Answer]) -> Answer:
        listing.set()
        assert go_on.wait(60)
        return proceed()

    server.troubles.append(wait)
    assert listing.wait(60)
    terminal.type("\x03")
    try:
        terminal.expect("interrupted: nothing was imported.")
        assert terminal.wait() == 130
    finally:
        go_on.set()


def test_ctrl_c_says_what_is_done_and_how_to_go_on(
    server: ProtocolServer, terminal: PseudoTerminal, env_file: Path, secret: Secret
) -> None:
    gate = Gate()
    server.troubles += [lambda _, proceed: proceed()] * 2 + [gate] * 10
    wait_until(lambda: gate.inside == 2)
    terminal.expect("1/3")
    terminal.type("\x03")
    try:
        terminal.expect(
            "interrupted: 1 created, 2 may be stored or not. To go on, run it again with --skip."
        )
        assert terminal.wait() == 130
    finally:
        gate.opened.set()
    server.troubles.clear()
    assert secret("import", ".env", "--skip").returncode == 0
    assert server.secrets == VALUES


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_import_that_was_killed_is_completed_by_a_second_run(
    server: ProtocolServer,
    environment: dict[str, str],
    tmp_path: Path,
    secret: Secret,
    number: signal.Signals,
) -> None:
    names = [f"N{i:02}" for i in range(40)]
    Path(tmp_path, ".env").write_text("".join(f"{name}=x\n" for name in names))
    gate = Gate()
    server.troubles += [lambda _, proceed: proceed()] * 10 + [gate] * 40
    command = ["strongroom", "secret", "import", ".env"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as running:
        wait_until(lambda: gate.inside == 4)
        running.send_signal(number)
        assert running.wait(60) in {-number, 128 + number}
    gate.opened.set()
    wait_until(lambda: gate.inside == 0)
    server.troubles.clear()
    result = secret("import", ".env", "--skip")
    assert (result.returncode, server.secrets) == (0, dict.fromkeys(names, "x"))


def test_the_parsers_libraries_are_imported_only_when_a_file_needs_them() -> None:
    check = (
        "import sys, app.client.secret.import_file as _; print({'dotenv', 'yaml'} & {*sys.modules})"
    )
    shown = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "set()\n"
