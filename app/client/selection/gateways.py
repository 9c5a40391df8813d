"""Entries ``PREFIX=CONFIG:SECRET[,TERMS]``: gateway tokens that come in place of values."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from app.client.redeem import Fault, gateway_variables
from app.client.selection.entries import Entry
from app.client.selection.plain_names import is_credential, is_plain_name
from app.client.selection.terms import TERMS_HELP, BadTerm, parse_terms, split_terms

_ENTRY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^=:\x00-\x1f]{1,255}):([A-Za-z_][A-Za-z0-9_-]*)")


class Gateway(NamedTuple):
    """A gateway config and a secret, each by its name or its id, and the terms of the token.

    Attributes:
        terms: Fields of the request.
    """

    config: str
    secret: str
    terms: Mapping[str, object] = MappingProxyType({})


class Gateways:
    """Collects the entries by prefix, and every fault on the way."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.faults: list[Fault] = []
        self._configs: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._entries: dict[str, Entry] = {}
        for text in texts:
            self._add(text)

    def __iter__(self) -> Iterator[Entry]:
        """Yield an entry for the secret of each, so that it is compared like any other."""
        return iter(self._entries.values())

    @property
    def chosen(self) -> Mapping[str, Gateway]:
        """The choices by prefix."""
        return {
            prefix: Gateway(config, self._entries[prefix].name, terms)
            for prefix, (config, terms) in self._configs.items()
        }

    @property
    def variables(self) -> list[str]:
        """The variables that they set."""
        return [name for prefix in self._configs for name in gateway_variables(prefix)]

    def clashes(self, entries: Iterable[Entry]) -> Iterator[Fault]:
        """Yield a fault for each secret whose value the command would get, too."""
        names = {entry.name for entry in entries}
        for entry in self:
            if entry.name in names:
                text = f"{entry.place}: the command would also get the value, which it must not."
                yield Fault(text)

    def _add(self, text: str) -> None:
        prefix, equals, _ = text.partition("=")
        place = f"--gateway {prefix}=…" if equals and is_plain_name(prefix) else "--gateway"
        entry, terms = split_terms(text)
        match = _ENTRY.fullmatch(entry)
        if match is None or is_credential(entry):
            self.faults.append(Fault(f"{place}: must read PREFIX=CONFIG:SECRET_NAME[,TERMS]."))
        elif prefix in self._configs:
            self.faults.append(Fault(f"{place}: is given twice."))
        else:
            try:
                self._configs[prefix] = match[2], parse_terms(terms)
            except BadTerm as bad:
                self.faults.append(Fault(f"{place}: {bad.name}: terms read {TERMS_HELP}."))
            else:
                self._entries[prefix] = Entry(prefix, match[3], place)
