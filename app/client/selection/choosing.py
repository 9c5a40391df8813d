"""From the options to names of secrets by variable, after every check that needs no value."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from app.client.api import Secret, Server
from app.client.redeem import (
    Allowed,
    Fault,
    Refused,
    RefusedByServer,
    changes,
    is_variable,
    name_faults,
)
from app.client.selection.entries import Entries, Entry
from app.client.selection.gateways import Gateway, Gateways
from app.client.selection.left_out import (
    ALREADY_SET,
    POWERFUL,
    TAKEN,
    TOO_MANY,
    LeftOut,
    no_variable,
)
from app.client.selection.options import Choice
from app.client.selection.verification import Listed, verify

MAX_LISTED = 20_000  # more do not fit into an environment
_FORBIDDEN = 403


@dataclass(frozen=True)
class Chosen:
    """Names of secrets by variable.

    Attributes:
        wanted: Chosen one by one: each of them is needed.
        of_all: Brought by ``--all``: left out if they cannot be had.
        in_files: Variables for paths of files in memory.
        unverified: Places of names that could be values, of which the server may show none.
        left_out: What ``--all`` leaves out.
        gateways: The gateway tokens, by prefix.
    """

    wanted: Mapping[str, str]
    of_all: Mapping[str, str]
    in_files: frozenset[str]
    unverified: tuple[str, ...]
    left_out: LeftOut = field(default_factory=LeftOut)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """All of them."""
        return {**self.of_all, **self.wanted}


def choose(
    choice: Choice,
    server: Server,
    remaining: Callable[[], float],
    faults: Iterable[Fault],
    inherited: Iterable[str],
    allowed: Allowed,
) -> Chosen:
    """Return the secrets that the options choose. Raises `Refused` with all faults.

    Args:
        remaining: Returns the seconds that files and the server may take.
        faults: The faults of other options and of the server's variables.
        inherited: Variables that are set already.
    """
    entries, gateways = _entries(choice, remaining), Gateways(choice.gateways)
    _require_no_faults(entries, gateways, faults, inherited, allowed)
    named = [*entries, *gateways]
    listed = _listed(choice, named, server, remaining)
    unverified = verify(named, listed)
    left_out = LeftOut()
    of_all = {}
    if choice.everything and listed:
        taken = {*gateways.variables, *(entry.variable for entry in entries)}
        of_all = _of_all(listed, named, taken, (inherited, allowed), left_out)
    wanted = {entry.variable: entry.name for entry in entries}
    if not named and not (listed and listed.secrets):
        reason = "the account has none" if listed else "--secret, --from, --all or --gateway"
        raise Refused(Fault(f"no secret is chosen ({reason})."))
    in_files = frozenset(entry.variable for entry in entries if entry.in_file)
    return Chosen(wanted, of_all, in_files, unverified, left_out, gateways.chosen)


def _require_no_faults(
    entries: Entries,
    gateways: Gateways,
    faults: Iterable[Fault],
    inherited: Iterable[str],
    allowed: Allowed,
) -> None:
    variables = [entry.variable for entry in entries if not entry.needs_variable]
    found = [
        *entries.faults,
        *gateways.faults,
        *gateways.clashes(entries),
        *faults,
        *name_faults([*variables, *gateways.variables], inherited, allowed),
    ]
    both = sorted({*variables} & {*gateways.variables})
    found += [Fault(f"--gateway: {name} is given a secret, too.") for name in both]
    if found:
        raise Refused(*found)


def _entries(choice: Choice, remaining: Callable[[], float]) -> Entries:
    entries = Entries(remaining)
    for text in choice.entries:
        entries.add_option(text, "--secret")
    for text in choice.in_files:
        entries.add_option(text, "--file", in_file=True)
    for file in choice.files:
        entries.add_file(file)
    return entries


def _listed(
    choice: Choice, entries: Collection[Entry], server: Server, remaining: Callable[[], float]
) -> Listed | None:
    """Return the account's secrets if they are needed, and None if the API key may not list."""
    if not (choice.everything or any(each.may_be_value or each.needs_variable for each in entries)):
        return None
    try:
        secrets = server.account(remaining()).secrets(MAX_LISTED)
    except RefusedByServer as refused:
        if choice.everything or refused.status != _FORBIDDEN:
            raise
        return None
    return Listed(secrets, len(secrets) <= MAX_LISTED)


def _of_all(
    listed: Listed,
    entries: Collection[Entry],
    taken: Collection[str],
    rules: tuple[Iterable[str], Allowed],
    left_out: LeftOut,
) -> dict[str, str]:
    """Return the secrets that ``--all`` adds to the entries, and note those that it leaves out.

    Args:
        entries: Their secrets are not added, also not those behind a gateway.
        taken: The variables of the entries.
        rules: The variables that are set already, and the user's exceptions.
    """
    named = {entry.name for entry in entries}
    others = [each for each in listed.secrets if not {each.name, each.id} & named]
    left_out.of = len(others)
    chosen = {}
    for number, secret in enumerate(others):
        reason = TAKEN if secret.name in taken else _obstacle(secret, *rules)
        if number >= MAX_LISTED:
            reason = TOO_MANY
        if reason:
            left_out.add(secret.name, reason)
        else:
            chosen[secret.name] = secret.name
    return chosen


def _obstacle(secret: Secret, inherited: Iterable[str], allowed: Allowed) -> str | None:
    """Return the reason for which a secret cannot be in a variable of its name."""
    if not is_variable(secret.name):
        return no_variable(secret.name)
    if secret.name not in allowed.names and changes(secret.name):
        return POWERFUL
    if secret.name in inherited and not allowed.override:
        return ALREADY_SET
    return None
