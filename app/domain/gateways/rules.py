"""Rules: the requests that a config or a token permits or refuses, by method and path.

Servers take an escape of ``:``, ``@`` and other characters for the character, before they route.
RFC 3986 does not, so both spellings are sent as they came. But rules judge them as one: in path and
rule, an escape of a character that may stand in a path is that character.
"""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from app.domain.errors import InvalidRequest

MAX_RULES = 64
MAX_PATTERN_LENGTH = 512

_METHOD = re.compile("[A-Z]{1,16}")
_PATTERN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_ONE_WITH_ITS_ESCAPE = frozenset("!$&'()*+,:=@[]^`{|}")


class Rule(NamedTuple):
    """Requests with one of these methods, to paths that match.

    Attributes:
        methods: Sorted; none stands for all.
        path: A path in which ``*`` stands for any part of one segment, and ``**`` for any text.
    """

    methods: tuple[str, ...]
    path: str


def check_rules(field: str, rules: Iterable[Rule]) -> None:
    """Refuse rules that could match nothing, or too many of them.

    Raises:
        InvalidRequest: Names the field and the rule that is broken.
    """
    rules = list(rules)
    if len(rules) > MAX_RULES:
        raise _bad(field, f"must hold at most {MAX_RULES} entries")
    for rule in rules:
        if not all(map(_METHOD.fullmatch, rule.methods)):
            raise _bad(field, "must name methods in capital letters")
        if len(rule.path) > MAX_PATTERN_LENGTH or not _PATTERN.fullmatch(rule.path):
            raise _bad(field, "must hold paths that begin with a slash, with * and ** as wildcards")


def dump_rules(rules: Iterable[Rule]) -> str:
    """Return the stored text of rules, in ASCII."""
    return json.dumps([(sorted(set(rule.methods)), rule.path) for rule in rules])


def load_rules(text: str) -> tuple[Rule, ...]:
    """Parse the text of ``dump_rules``; only of a row that was verified."""
    return tuple(Rule(tuple(methods), path) for methods, path in json.loads(text))


def permits(rules: Iterable[Rule], method: str, path: str) -> bool:
    """Return True if one of the rules is for this request; HEAD follows GET.

    Args:
        path: In canonical form, which is strict.
    """
    asked = {method, "GET"} if method == "HEAD" else {method}
    judged = judged_form(path)
    return any(
        (not rule.methods or not asked.isdisjoint(rule.methods))
        and _is_match(_states_of(rule.path), judged)
        for rule in rules
    )


def refuses(rules: Iterable[Rule], method: str, path: str) -> bool:
    """Return True if one of the rules is for this request, or for one that upstreams take for it.

    Some ignore the case of a path, or a slash at its end. So a rule that permits is exact, and one
    that refuses is not.
    """
    lower = [Rule(rule.methods, rule.path.lower()) for rule in rules]
    forms = {path.lower(), path.lower().rstrip("/")}
    return any(permits(lower, method.upper(), form) for form in forms)


def judged_form(path: str) -> str:
    """Return a path in which characters that servers take for their escapes have one spelling."""
    return _ESCAPED.sub(_character, path) if "%" in path else path


def _character(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _ONE_WITH_ITS_ESCAPE else escape[0]


class _States(NamedTuple):
    """A pattern as states: in state *i* its first *i* literal characters have been seen.

    A wildcard is a state that stays. All states are one number, a bit each, so that a character is
    one step for all of them. A regular expression would try again for each wildcard, and whoever
    writes the pattern or sends the path could have it try for ever.

    Attributes:
        steps: For each character, the states that it moves on.
        stays: The states of ``*`` and ``**``, which stay on any character but a slash.
        stays_on_slash: The states of ``**``.
        end: The last state.
    """

    steps: dict[str, int]
    stays: int
    stays_on_slash: int
    end: int


@lru_cache(maxsize=1024)
def _states_of(pattern: str) -> _States:
    steps: dict[str, int] = {}
    stays = stays_on_slash = 0
    state = 1
    for part in re.split(r"(\*\*|\*)", pattern):
        if part in {"*", "**"}:
            stays |= state
            stays_on_slash |= state if part == "**" else 0
            continue
        for character in judged_form(part):
            steps[character] = steps.get(character, 0) | state
            state <<= 1
    return _States(steps, stays, stays_on_slash, state)


def _is_match(pattern: _States, path: str) -> bool:
    states = 1
    for character in path:
        stays = pattern.stays_on_slash if character == "/" else pattern.stays
        states = ((states & pattern.steps.get(character, 0)) << 1) | (states & stays)
        if not states:
            return False
    return bool(states & pattern.end)


def _bad(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest("The rules are not valid.", {field: rule})
