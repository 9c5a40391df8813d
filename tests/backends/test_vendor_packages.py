"""A server that keeps its root key in a file loads no vendor's package."""

import subprocess
import sys

VENDORS = ("boto3", "botocore", "hvac")


def test_importing_backends_loads_no_vendor() -> None:
    script = (
        "import sys, backends, backends.registry, backends.local_fernet\n"
        f"print([name for name in {VENDORS} if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout == "[]\n"
