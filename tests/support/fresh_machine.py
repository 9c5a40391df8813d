"""A fresh machine: namespaces in which root may install, become other users, and use every port.

Its files are those of this machine, and what is written to them is gone in the end. Its network is
its own, and not connected to anything. Programs that would download are stand-ins, and so is
``systemctl`` (``tests/support/systemctl.py``).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import require

_ROOT = Path(__file__).parents[2]
_COPIED = ("app", "backends", "config", "requirements", "Makefile", "pyproject.toml", "wsgi.py")
_WRITABLE = ("etc", "opt", "var", "root", "usr/share")
_SECONDS = 900
_PROGRAMS = ("nginx", "curl", "openssl", "setpriv", "runuser", "pg_createcluster", "make", "ip")

_BOOT = """
layers={directory}/layers
mount --make-rprivate /
mount -t tmpfs none $layers
overlay() {{
    mkdir --parents $layers/$2/upper $layers/$2/work
    mount -t overlay overlay -o lowerdir=$1,upperdir=$layers/$2/upper,workdir=$layers/$2/work /$2
}}
mkdir $layers/packages $layers/checkout
mount --bind {packages} $layers/packages
mount --bind {root} $layers/checkout
overlay {python} usr/local
for each in {writable}; do overlay /$each $each; done
mount -t tmpfs none /run
mount -t proc proc /proc
mkdir --parents /run/lock /run/postgresql /run/stand-ins /usr/local/sbin /opt/packages /opt/checkout
mount --bind $layers/packages /opt/packages
mount --bind $layers/checkout /opt/checkout
chown postgres:postgres /run/postgresql
ldconfig
hostname fresh
ip link set lo up
ip address add 10.0.0.1/24 dev lo
cp /etc/hosts /run/hosts
echo "10.0.0.1 fresh db.example.org secrets.example.org" >>/run/hosts
mount --bind /run/hosts /etc/hosts
rm --recursive --force /etc/postgresql/15 /var/lib/postgresql/15
cp {directory}/stand-ins/* /run/stand-ins
export PATH=/run/stand-ins:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""

# PostgreSQL's package makes a cluster and starts it.
_APT_GET = """#!/bin/sh
case "$*" in *postgresql*)
    pg_createcluster 15 main -- --no-sync
    pg_ctlcluster 15 main start ;;
esac
"""
_GIT = f"""#!/bin/sh
test "$1" = clone
mkdir "$3"
cd /opt/checkout
cp --recursive {" ".join(_COPIED)} "$3"
"""
_MAKE = """#!/bin/sh
exec /usr/bin/make "$@" PYTHON=/usr/local/bin/python3 PIP=/run/stand-ins/pip
"""
# What the tests run with stands in for what would be installed.
_PIP = """#!/bin/sh
set -e
place=$(echo "$PWD"/.venv/lib/python3*/site-packages)
echo /opt/packages >"$place/tests.pth"
ln --symbolic --force --no-dereference /opt/packages/flask_swagger_ui "$place/flask_swagger_ui"
case "$*" in *" -e ."*)
    echo "$PWD" >"$place/strongroom.pth"
    for each in "strongroom app.cli.main main" "gunicorn gunicorn.app.wsgiapp run"; do
        set -- $each
        imports="from $2 import $3"
        printf '#!%s\\n%s\\n%s()\\n' "$PWD/.venv/bin/python" "$imports" "$3" >".venv/bin/$1"
        chmod +x ".venv/bin/$1"
    done ;;
esac
"""
_SYSTEMCTL = """#!/bin/sh
exec /usr/local/bin/python3 /opt/checkout/tests/support/systemctl.py "$@"
"""


def run_on_fresh_machine(directory: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as root on a new machine, which ends with it.

    Args:
        directory: Its own, empty but for files that the script uses.
    """
    _require_root()
    stand_ins = directory / "stand-ins"
    stand_ins.mkdir()
    (directory / "layers").mkdir()
    for name, text in {
        "apt-get": _APT_GET,
        "git": _GIT,
        "make": _MAKE,
        "pip": _PIP,
        "systemctl": _SYSTEMCTL,
    }.items():
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    boot = _BOOT.format(
        directory=directory,
        packages=next(each for each in sys.path if each.endswith("site-packages")),
        root=_ROOT,
        python=sys.base_prefix,
        writable=" ".join(_WRITABLE),
    )
    (directory / "script").write_text(f"set -euo pipefail\n{boot}\n{script}")
    apart = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child"]
    return subprocess.run(
        [*apart, "bash", str(directory / "script")],
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        stdin=subprocess.DEVNULL,
        env={"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )


def _require_root() -> None:
    """Skip the test where no machine can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount and become another user")
    for program in _PROGRAMS:
        require(program)
    tried = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "true"]
    if subprocess.run(tried, check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no namespaces")
