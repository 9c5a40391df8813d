"""schemathesis against the real server, in all its phases: nothing that it sends is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.account import Account

pytestmark = pytest.mark.slow

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def test_generated_requests_find_nothing(account: Account, tmp_path: Path, proving: bool) -> None:
    settings = f'headers = {{ Authorization = "Bearer {account.token}" }}\n'
    (tmp_path / "schemathesis.toml").write_text(settings)
    examples = 500 if proving else 10
    ran = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{account.url}/openapi.json",
            f"--checks={','.join(_CHECKS)}",
            f"--max-examples={examples}",
            "--phases=examples,coverage,fuzzing,stateful",
            "--mode=all",
            "--generation-deterministic",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-1000:]
    assert " passed" in ran.stdout
