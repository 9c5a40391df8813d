"""Entries ``PREFIX=CONFIG:SECRET``: gateway tokens that the command gets in place of values."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from app.client.redeem import Fault, gateway_variables
from app.client.selection.entries import Entry
from app.client.selection.plain_names import is_credential, is_plain_name

_ENTRY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^=:\x00-\x1f]{1,255}):([A-Za-z_][A-Za-z0-9_-]*)")


class Gateway(NamedTuple):
    """A gateway config and a secret, each by its name or its id."""

    config: str
    secret: str


class Gateways:
    """Collects the entries by prefix, and every fault on the way."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.faults: list[Fault] = []
        self._configs: dict[str, str] = {}
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
            prefix: Gateway(config, self._entries[prefix].name)
            for prefix, config in self._configs.items()
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
        match = _ENTRY.fullmatch(text)
        if match is None or is_credential(text):
            self.faults.append(Fault(f"{place}: must read PREFIX=CONFIG:SECRET_NAME."))
        elif prefix in self._configs:
            self.faults.append(Fault(f"{place}: is given twice."))
        else:
            self._configs[prefix] = match[2]
            self._entries[prefix] = Entry(prefix, match[3], place)
