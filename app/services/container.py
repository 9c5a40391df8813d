"""The services of one process, connected by ``app.bootstrap``."""

from collections.abc import Callable
from dataclasses import dataclass

from app.rates.rate_limits import RateLimits
from app.services.account_deletion import AccountDeletion
from app.services.accounts import Accounts
from app.services.api_keys import ApiKeys
from app.services.audit.parts import AuditServices
from app.services.authentication import Authentication
from app.services.diagnostics import Checkup
from app.services.gateways.admissions import Admissions
from app.services.gateways.configs import GatewayConfigs
from app.services.gateways.keys import GatewayKeys
from app.services.gateways.switch import GatewaySwitch
from app.services.gateways.tokens import GatewayTokens
from app.services.gateways.use_list import GatewayUseList
from app.services.gateways.uses import GatewayUses
from app.services.injections import Injections
from app.services.keys.status import KeyringStatus
from app.services.measurements import Measurements
from app.services.redeeming.redemption import Redemption
from app.services.rotation.recover import Recovery
from app.services.rotation.reencrypt import Reencrypt
from app.services.rotation.retire import Retire
from app.services.rotation.rewrap import Rewrap
from app.services.secrets import Secrets
from app.services.setup import Setup
from app.services.upkeep.backups import Backups
from app.services.upkeep.heartbeats import Heartbeats
from app.services.upkeep.periodic import PeriodicTasks
from app.services.upkeep.readiness import Readiness
from app.services.upkeep.sweep import Sweep
from app.services.versions.secret_versions import SecretVersions


@dataclass(frozen=True, slots=True)
class Services:
    """All that HTTP, the command and the tests may call."""

    authentication: Authentication
    rate_limits: RateLimits
    secrets: Secrets
    secret_versions: SecretVersions
    api_keys: ApiKeys
    accounts: Accounts
    account_deletion: AccountDeletion
    injections: Injections
    redemption: Redemption
    admissions: Admissions
    gateway_uses: GatewayUses
    gateway_keys: GatewayKeys
    gateway_switch: GatewaySwitch
    gateway_configs: GatewayConfigs
    gateway_tokens: GatewayTokens
    gateway_use_list: GatewayUseList
    keyring_status: KeyringStatus
    rewrap: Rewrap
    reencrypt: Reencrypt
    retire: Retire
    recovery: Recovery
    heartbeats: Heartbeats
    measurements: Measurements
    readiness: Readiness
    checkup: Checkup
    setup: Setup
    backups: Backups
    sweep: Sweep
    audit: AuditServices
    tasks: PeriodicTasks
    close: Callable[[], None]
