"""Completion for shells: names of secrets, asked from the server, and words as bash splits them.

A shell waits for each completion, at a prompt that is on the screen. So the server has one second,
and every failure is silent: nothing is completed then.
"""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from app.client.api import Server

_SECONDS = 1.0
_LIMIT = 5000
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,254}")  # a shell takes no character of it as its own
_JOINS = "="

Items = list[CompletionItem[str]]


def secret_names(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a secret."""
    return _items(name for name in _names(context) if name.startswith(incomplete))


def secret_entries(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Complete the name in ``ENV=NAME``, or the name alone."""
    variable, equals, name = incomplete.rpartition(_JOINS)
    return _items(f"{variable}{equals}{each}" for each in _names(context) if each.startswith(name))


def files(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Leave the completion to the shell, which knows the files."""
    return [CompletionItem(incomplete, type="file")]


@contextmanager
def silent() -> Iterator[None]:
    """Complete without messages, and with words of bash that are joined again."""
    add_completion_class(_BashWords, "bash")
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere), suppress(Exception):  # noqa: PTH123
        yield


def _items(values: Iterable[str]) -> Items:
    return [CompletionItem(value) for value in sorted(values)]


def _names(context: click.Context) -> list[str]:
    """Return the names of about 5,000 secrets at most, or none after any failure."""
    server = Server(context.obj, silent=True)
    if server.faults(allow_http=bool(context.params.get("allow_http"))):
        return []
    try:
        listed = server.account(_SECONDS).secrets(_LIMIT)
    except Exception:  # noqa: BLE001 - the prompt is no place for messages
        return []
    return [each.name for each in listed if _NAME.fullmatch(each.name)]


class _BashWords(BashComplete):
    """Joins what bash splits at equals signs, and returns what belongs behind the last one."""

    _is_joined = False

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        *words, last = _joined([*args, incomplete])
        self._is_joined = last != incomplete
        return words, last

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = item.value.rpartition(_JOINS)[2] if self._is_joined else item.value
        return f"{item.type},{shlex.quote(value) if value else value}"


def _joined(words: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if joined and word and _JOINS in {before, word}:
            joined[-1] += word
        else:
            joined.append(word)
    return joined
