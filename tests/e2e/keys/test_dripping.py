"""An endpoint that drips its answers for ever keeps no process from ending."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kms import environment_for
from tests.support.strongroom import prepared
from tests.unit.backends.aws_kms.endpoints import drip, endpoint

pytestmark = pytest.mark.slow

ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LONGEST_SECONDS = 60.0


def test_a_check_ends_while_an_endpoint_drips(tmp_path: Path) -> None:
    deployment = prepared(tmp_path)
    with endpoint(drip) as address:
        ended = subprocess.run(
            [str(Path(sys.executable).parent / "strongroom"), "check"],
            env={
                **deployment.environment,
                **environment_for(address),
                "STRONGROOM_KEYS": f"aws-kms:{ARN}",
            },
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    assert "did not answer in time" in ended.stdout + ended.stderr
