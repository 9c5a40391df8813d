"""``docs/keys/README.md``: the drill runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "keys" / "README.md").read_text()


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the drill, typed in an empty directory."""
    script = "".join(re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL))
    directory = tmp_path_factory.mktemp("drill")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        cwd=directory,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "printed", ["moved\n", "as expected: no provider opens anything\n", "recovered\n"]
)
def test_the_drill_gets_through_each_part(drill: str, printed: str) -> None:
    assert printed in drill
