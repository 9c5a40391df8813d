"""The command, asked as bash asks it for completions."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def completions(environ: Mapping[str, str], *words: str) -> list[str]:
    """Complete the last of these words behind ``strongroom``; nothing else may be printed."""
    asked = {
        "_STRONGROOM_COMPLETE": "bash_complete",
        "COMP_CWORD": str(len(words)),
        "COMP_WORDS": "\n".join(("strongroom", *words)),
    }
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "strongroom")],
        env={**environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stderr == ""
    return [line.partition(",")[2] for line in ended.stdout.splitlines() if line]
