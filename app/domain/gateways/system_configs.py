"""The gateway configs that every deployment has, from a file of this repository."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.origins import EndpointPolicy
from app.domain.gateways.rules import Rule
from app.domain.ids import GATEWAY_CONFIG, ID_DIGITS


class SystemConfigs:
    """The configs of the system, which every account may use and none may change.

    Args:
        entries: Their parts as they stand in ``config/gateways.json``.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        configs = sorted(map(_system_config, entries), key=lambda config: config.id, reverse=True)
        self.all = tuple(configs)
        self._by_id = {config.id: config for config in configs}
        self._names = {config.name: config for config in configs}
        self._reserved = {config.name.casefold() for config in configs}

    def get(self, config_id: str) -> GatewayConfig | None:
        """Return the system's config of this id, or ``None``."""
        return self._by_id.get(config_id)

    def named(self, name: str) -> GatewayConfig | None:
        """Return the system's config of exactly this name, or ``None``."""
        return self._names.get(name)

    def reserves(self, name: str) -> bool:
        """Return True if no account may give a config this name."""
        return name.casefold() in self._reserved


def _system_config(entry: Mapping[str, Any]) -> GatewayConfig:
    mechanism = entry["auth_mechanism"]
    draft = ConfigDraft(
        name=entry["name"],
        description=entry["description"],
        endpoint=entry["endpoint"],
        auth=AuthMechanism(AuthType(mechanism["type"]), mechanism.get("key")),
        allow=_rules(entry.get("allow", ())),
        deny=_rules(entry.get("deny", ())),
        deny_query=tuple(entry["deny_query"]),
    )
    draft.check(EndpointPolicy())
    letters = "".join(filter(str.isalnum, entry["name"]))
    # Below every id that has a time in it, so that lists end with these.
    config_id = f"{GATEWAY_CONFIG}_{letters.zfill(ID_DIGITS)}"
    return replace(draft.new(SYSTEM_ACCOUNT_ID, (), now_ms=0), id=config_id)


def _rules(entries: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(Rule(tuple(entry.get("methods", ())), entry["path"]) for entry in entries)
