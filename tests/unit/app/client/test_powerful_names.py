"""Programs of this machine show what a variable can make them do; such names are refused."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from app.client.redeem import changes
from tests.support.programs import require

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin"


class Obedient(NamedTuple):
    """A command that makes ``marker`` for whoever sets the variable, in a directory with ``files``.

    ``{}`` in the value is the directory, which also holds ``hostile``, a script that does it.
    """

    name: str
    value: str
    command: str
    files: dict[str, str]


_DO = "touch marker; :"
_PYTHON = "import os; os.mkdir('marker')"
_NODE = "--import=data:text/javascript,import('fs').then(f=>f.mkdirSync('marker'))"
_PAGE = {"page": ".TH X 1\n.SH N\nx\n"}

OBEDIENT = [
    Obedient("AR", _DO, "make", {"Makefile": "l.a(x.o): x.o\nx.o: x.c ; touch x.o\n", "x.c": ""}),
    Obedient("AS", _DO, "make x.o", {"x.s": ""}),
    Obedient("CC", _DO, "make x.o", {"x.c": ""}),
    Obedient("FC", _DO, "make x.o", {"x.f": ""}),
    Obedient("LEX", _DO, "make x.c", {"x.l": ""}),
    Obedient("YACC", _DO, "make x.c", {"x.y": ""}),
    Obedient("LD", _DO, "make", {"Makefile": "all: ; $(LD) x.o\n"}),
    Obedient(
        "MAKEFILES", "{}/more", "make -f /dev/null x", {"more": "$(shell touch marker)\nx:\n"}
    ),
    Obedient("COMPILER_PATH", "{}/bin", "gcc -c x.c", {"x.c": "int x;", "bin/as": ""}),
    Obedient("BASH_ENV", "{}/hostile", "bash -c :", {}),
    Obedient("ENV", "{}/hostile", "sh -i", {}),
    Obedient("GIT_SSH_COMMAND", _DO, "git ls-remote ssh://localhost/x", {}),
    Obedient("GIT_EXTERNAL_DIFF", "{}/hostile", "git diff", {}),
    Obedient("PERL5OPT", "-Mbase;mkdir(q(marker))", "perl -e 1", {}),
    Obedient("PERL5DB", "BEGIN{mkdir(q(marker))} sub DB::DB{}", "perl -d -e 1", {}),
    Obedient("PYTHONPATH", "{}", "python3 -c pass", {"sitecustomize.py": _PYTHON}),
    Obedient("NODE_OPTIONS", _NODE, "node -e 1", {}),
    Obedient("TCL_LIBRARY", "{}", "tclsh /dev/null", {"init.tcl": "file mkdir marker\n"}),
    Obedient("VIMRUNTIME", "{}", "vim -u DEFAULTS -es -c q", {"defaults.vim": "sil !touch marker"}),
    Obedient("VIMINIT", "call system('touch marker')", "vim -c q", {}),
    Obedient("MANOPT", "-P {}/hostile", "script -qec 'man -l page' /dev/null", _PAGE),
    Obedient("LESSOPEN", "|{}/hostile %s", "less page", _PAGE),
    Obedient("TAR_OPTIONS", "--checkpoint=1 --checkpoint-action=exec={}/hostile", "tar cf x .", {}),
    Obedient("ZIPOPT", "-T -TT {}/hostile", "zip -q x page", _PAGE),
    Obedient("CURL_HOME", "{}", "curl file:///dev/null", {".curlrc": "output = marker\n"}),
    Obedient(
        "WGETRC", "{}/rc", "wget -t 1 http://127.0.0.1:1", {"rc": "use_askpass = {}/hostile\n"}
    ),
    Obedient("GOFLAGS", "-toolexec={}/hostile", "go build x.go", {"x.go": "package main\n"}),
    Obedient("JAVA_TOOL_OPTIONS", "-Xlog:gc:file={}/marker", "java -version", {}),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository of git with a change in it, and an executable script that makes the marker."""
    for command in ("init -q .", "add ."):
        (tmp_path / "changed").write_text(command)
        subprocess.run([require("git"), *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "changed").write_text("since")
    write(tmp_path / "hostile", f"#!/bin/sh\ncd '{tmp_path}' && touch marker\n")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def skip_without(command: str) -> None:
    program = command.removeprefix("script -qec '").partition(" ")[0]
    if not shutil.which(program, path=_PATH):
        pytest.skip(f"this machine has no {program}")


def obeys(case: Obedient, place: Path) -> bool:
    """Return True if the program obeyed the variable."""
    for name, text in case.files.items():
        write(place / name, (text or "#!/bin/sh\ntouch marker\n").replace("{}", str(place)))
    environment = {"PATH": _PATH, "HOME": str(place), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        shlex.split(case.command),
        cwd=place,
        env=environment | {case.name: case.value.replace("{}", str(place))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return (place / "marker").exists()


@pytest.mark.parametrize("case", OBEDIENT, ids=lambda case: case.name)
def test_a_name_that_a_program_obeys_is_refused(case: Obedient, place: Path) -> None:
    skip_without(case.command)
    assert (obeys(case, place), changes(case.name) is not None) == (True, True)


# Commands that list the variables of a program, and how one stands in what they print.
LISTS = [
    ("make -pf /dev/null", r"^# default\n([A-Z][A-Z0-9_]*) :?="),
    ("python3 --help-env", r"^(PYTHON[A-Z]+)"),
    ("node --help", r"^(NODE_[A-Z_]+) "),
    ("go env", r"^(\w+)="),
    ("git help --man git", r"^ +(GIT_[A-Z_0-9]+)$"),
    ("man -P cat less", r"^ +(LESS(?:[A-Z]*OPEN|CLOSE|EDIT|KEY[A-Z_]*|SECURE\w*))$"),
    ("man -P cat ld.so", r"^ +(LD_[A-Z_]+)"),
    ("man -P cat bash", r"^ +(BASH_ENV|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|PS\d|\w*IGNORE|INPUTRC)$"),
    ("perldoc -T perlrun", r"^ +(PERL[0-9A-Z_]+)$"),
]


@pytest.mark.parametrize(("command", "name"), LISTS, ids=lambda each: each.split()[0])
def test_every_variable_that_a_program_lists_is_refused(command: str, name: str) -> None:
    skip_without(command)
    listed = subprocess.run(
        command.split(),
        env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "MANPAGER": "cat"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    names = set(re.findall(name, listed, re.MULTILINE))
    if not names:
        pytest.skip(f"{command} lists nothing here")
    assert sorted(each for each in names if changes(each) is None) == []
