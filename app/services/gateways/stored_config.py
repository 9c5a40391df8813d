"""Gateway configs in stored responses, and configs that a client names."""

import json

from app.crypto.system_key import OpenedSystemKey
from app.domain.columns import GuardedColumns
from app.domain.gateways.configs import GatewayConfig, is_printable_name
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.guarded import tampered
from app.domain.ids import GATEWAY_CONFIG, is_id
from app.repository.base import Repository

_COLUMNS = GuardedColumns(GatewayConfig)
_NO_MAC = ("", b"")


def dump_config(config: GatewayConfig) -> str:
    """Return a config as the text of a stored response, which is sealed as a whole."""
    return json.dumps([*config.columns().values()])


def load_config(stored: str) -> GatewayConfig:
    """Parse the text of ``dump_config``."""
    return _COLUMNS.parse((*json.loads(stored), *_NO_MAC)).unverified


def find_config(
    repository: Repository,
    opened: OpenedSystemKey,
    system: SystemConfigs,
    account_id: str,
    ref: str,
) -> GatewayConfig | None:
    """Return the config of this id or of exactly this name, or ``None``.

    In a unit of work the row of an account's config is locked.

    Raises:
        TamperedRow: Its row was edited, or another was found in its place.
    """
    by_id = is_id(ref, GATEWAY_CONFIG)
    of_system = system.get(ref) if by_id else system.named(ref)
    if of_system is not None or not is_printable_name(ref):
        return of_system
    configs = repository.gateway_configs
    stored = configs.get(account_id, ref) if by_id else configs.named(account_id, ref)
    if stored is None:
        return None
    config = opened.verify(stored)
    if config.account_id != account_id or ref != (config.id if by_id else config.name):
        raise tampered(config)
    return config
