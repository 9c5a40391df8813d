"""A user at an interactive shell with job control."""

import re

from tests.unit.app.client.pseudo_terminal import PseudoTerminal

PROMPT = "READY> "
RUN = "strongroom run --secret GREETING"


def enter(shell: PseudoTerminal, line: str) -> None:
    """Type a line, and wait until the shell has taken it."""
    shell.type(f"{line}\n")
    shell.expect(re.escape(line) + "\r\n")


def echoed(shell: PseudoTerminal, line: str) -> None:
    """Type a line, which the terminal echoes and the command repeats."""
    shell.type(f"{line}\n")
    shell.expect(f"{line}\r\n{line}\r\n")


def exit_code(shell: PseudoTerminal) -> int:
    """Of the last command, whose prompt is awaited."""
    shell.expect(PROMPT)
    enter(shell, "echo code $?")
    code = int(shell.expect("code [0-9]+\r\n").split()[1])
    shell.expect(PROMPT)
    return code
