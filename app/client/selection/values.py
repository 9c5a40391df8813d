"""Values of chosen secrets, through as many injections as they need.

A secret that was chosen by itself is needed, so a refusal ends the start. One that ``--all``
brought may be gone, damaged, or too much beside the others: the injection is then halved until the
others have come, and the secret is left out.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from app.client.api import Server
from app.client.redeem import (
    ALL_STRINGS,
    LONGEST_PATH,
    SERVER_REFUSED,
    Excess,
    Fault,
    Refused,
    RefusedByServer,
    oversized,
)
from app.client.selection.choosing import MAX_LISTED, Chosen
from app.client.selection.left_out import GONE, REFUSED, TOO_LARGE, TOO_MANY, LeftOut

_MAX_SECRETS, _MAP_BYTES = 256, 32 * 1024  # of one injection
_MARKS, _LONGEST_NAME = 64, 255
_MAX_REFUSALS = 64
_MAX_BYTES = 64 << 20  # of --all, in memory; an environment has room for 6 MiB
_FORBIDDEN = 403

_Names = Mapping[str, str]
_Remaining = Callable[[], float]


def values_of(chosen: Chosen, server: Server, remaining: _Remaining) -> dict[str, str]:
    """Return the values by variable. Raises `Refused`."""
    values: dict[str, str] = {}
    try:
        for names in _batches(chosen.wanted):
            values |= server.values(names, remaining)
    except RefusedByServer as refused:
        raise _without_echo(refused, chosen) from None
    return values | _values_of_all(chosen, server, remaining)


def tokens_of(chosen: Chosen, server: Server, remaining: _Remaining) -> dict[str, str]:
    """Return the gateway tokens and their URLs by variable. Raises `Refused`."""
    if not chosen.gateways:
        return {}
    try:
        return server.gateway_tokens(chosen.gateways, remaining)
    except RefusedByServer as refused:
        raise _without_echo(refused, chosen) from None


def token_of(chosen: Chosen, server: Server, remaining: _Remaining, ttl_seconds: int) -> str:
    """Return the token of one injection of all secrets. Raises `Refused`."""
    batches = [*_batches(chosen.names)] or [{}]
    if len(batches) != 1:
        text = f"a token is for 1 to {_MAX_SECRETS} secrets, with {_MAP_BYTES} bytes of names."
        raise Refused(Fault(text))
    try:
        return server.account(remaining()).create_injection(
            batches[0], ttl_seconds, chosen.gateways
        )
    except RefusedByServer as refused:
        raise _without_echo(refused, chosen) from None


def _without_echo(refused: RefusedByServer, chosen: Chosen) -> Refused:
    """Return the refusal without the server's message, if that may repeat a value."""
    if not chosen.unverified:
        return refused
    text = (
        f"the server responded with {refused.status}. Its message is not shown, since it may "
        f"repeat a value: {', '.join(chosen.unverified)}."
    )
    return Refused(Fault(text, SERVER_REFUSED))


def leave_out_oversized(
    chosen: Chosen,
    values: Mapping[str, str],
    command: Sequence[str],
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """Return the values without those of ``--all`` for which the kernel has no room."""
    paths = dict.fromkeys(chosen.in_files, LONGEST_PATH)
    others = {**inherited, **{name: values[name] for name in chosen.wanted}, **paths}
    fitting = {name: value for name, value in values.items() if name in chosen.of_all}
    for excess in oversized(command, {**others, **fitting}):
        fitting.pop(excess.name, None)
    over = sum(each.size - each.limit for each in _total(command, {**others, **fitting}))
    for name in sorted(fitting, key=lambda name: len(fitting[name]), reverse=True):
        if over > 0:
            over -= len(f"{name}={fitting.pop(name)}".encode())
    dropped = chosen.of_all.keys() & values.keys() - fitting.keys()
    for name in sorted(dropped, key=lambda name: len(values[name]), reverse=True):
        chosen.left_out.add(name, TOO_LARGE)
    return {**fitting, **{name: values[name] for name in chosen.wanted}}


def _total(command: Sequence[str], environment: Mapping[str, str]) -> list[Excess]:
    return [each for each in oversized(command, environment) if each.name == ALL_STRINGS]


def _batches(names: _Names) -> Iterator[_Names]:
    """Yield parts of the names that an injection has room for."""
    batch: dict[str, str] = {}
    size = 0
    for variable, name in names.items():
        stored = len(variable) + max(len(name), _LONGEST_NAME if _is_id(name) else 0) + _MARKS
        if batch and (len(batch) == _MAX_SECRETS or size + stored > _MAP_BYTES):
            yield batch
            batch, size = {}, 0
        batch[variable] = name
        size += stored
    if batch:
        yield batch


def _is_id(name: str) -> bool:
    """Return True for a text that may be an id, in whose place a longer name is stored."""
    return name.startswith("sec_")


def _values_of_all(chosen: Chosen, server: Server, remaining: _Remaining) -> dict[str, str]:
    """Return the values that can be had, and note the others."""
    values: dict[str, str] = {}
    pending, refusals, size = [*_batches(chosen.of_all)], 0, 0
    while pending:
        names = pending.pop()
        if size > _MAX_BYTES:
            for name in names.values():
                chosen.left_out.add(name, TOO_MANY)
            continue
        try:
            some = server.values(names, remaining)
            size += sum(map(len, some.values()))
            values |= some
        except RefusedByServer as refused:
            listed = server.account(remaining()).secrets(MAX_LISTED)
            existing = {each.name for each in listed}
            refusals += existing.issuperset(names.values())
            if refused.status == _FORBIDDEN or refusals > _MAX_REFUSALS:
                raise
            pending += _parts(names, existing, chosen.left_out)
    return values


def _parts(names: _Names, existing: Collection[str], left_out: LeftOut) -> list[_Names]:
    """Return smaller injections in place of one that was refused, and note what has none."""
    present = {variable: name for variable, name in names.items() if name in existing}
    for name in names.values():
        if name not in existing:
            left_out.add(name, GONE)
    if len(present) < len(names):
        return [present] if present else []
    items = [*names.items()]
    if len(items) == 1:
        left_out.add(items[0][1], REFUSED)
        return []
    return [dict(items[: len(items) // 2]), dict(items[len(items) // 2 :])]
