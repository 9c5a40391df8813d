"""``docs/keys/vault-transit.md``: the drill runs as it stands, and the policy is the tested one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.openbao import least_privilege
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

PAGE = Path("docs/keys/vault-transit.md")
_BLOCK = re.compile(r"```(sh|hcl)\n(.*?)```", re.DOTALL)
_RULE = re.compile(r'path "(.+?)" +\{ capabilities = \["(.+?)"\] \}')


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


@pytest.fixture(scope="module")
def drill(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the drill, typed as it is but for the port."""
    blocks = (text for _, text in _BLOCK.findall(page.partition("## A drill on a laptop")[2]))
    script = "\n".join(blocks).replace("127.0.0.1:8200", f"127.0.0.1:{free_port()}")
    directory = tmp_path_factory.mktemp("drill")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-mc", f"trap 'kill $(jobs -p)' EXIT\n{script}"],
        check=False,
        cwd=directory,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_drill_shows_every_failure_that_it_announces(drill: str) -> None:
    announced = ("sealed", "too old", "denied", "gone")
    assert [each for each in announced if f"as expected: {each}" not in drill] == []


@pytest.mark.parametrize(
    "words",
    [
        "Vault is sealed",
        "min_decryption_version",
        "Vault denies this call",
        "Vault has no such transit key",
    ],
)
def test_a_failure_has_the_message_of_the_page(page: str, drill: str, words: str) -> None:
    assert words in drill
    assert words in page


def test_the_policy_is_the_one_that_the_contract_suite_runs_under(page: str) -> None:
    policies = [dict(_RULE.findall(text)) for _, text in _BLOCK.findall(page) if _RULE.search(text)]
    assert policies == [least_privilege("transit", "strongroom")] * 2
