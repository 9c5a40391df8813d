"""The command, asked as bash asks it for completions."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.preloaded import run_command


def completions(environ: Mapping[str, str], *words: str) -> list[str]:
    """Complete the last of these words behind ``strongroom``; nothing else may be printed."""
    asked = {
        "_STRONGROOM_COMPLETE": "bash_complete",
        "COMP_CWORD": str(len(words)),
        "COMP_WORDS": "\n".join(("strongroom", *words)),
    }
    ended = run_command((), {**environ, **asked}, Path.cwd())
    assert (ended.returncode, ended.stderr) == (0, b"")
    return [line.partition(",")[2] for line in ended.stdout.decode().splitlines() if line]
