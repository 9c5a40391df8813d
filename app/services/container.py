"""The services of one process, connected by ``app.bootstrap``."""

from collections.abc import Callable
from dataclasses import dataclass

from app.services.accounts import Accounts
from app.services.api_keys import ApiKeys
from app.services.authentication import Authentication
from app.services.backups import Backups
from app.services.checkup import Checkup
from app.services.injections import Injections
from app.services.keyring.recovery import Recovery
from app.services.keyring.reencrypt import Reencrypt
from app.services.keyring.retire import Retire
from app.services.keyring.rewrap import Rewrap
from app.services.keyring.status import KeyringStatus
from app.services.periodic import PeriodicTasks
from app.services.readiness import Readiness
from app.services.redemption import Redemption
from app.services.secrets import Secrets
from app.services.setup import Setup
from app.services.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Services:
    """All that HTTP, the command and the tests may call."""

    authentication: Authentication
    secrets: Secrets
    api_keys: ApiKeys
    accounts: Accounts
    injections: Injections
    redemption: Redemption
    keyring_status: KeyringStatus
    rewrap: Rewrap
    reencrypt: Reencrypt
    retire: Retire
    recovery: Recovery
    readiness: Readiness
    checkup: Checkup
    setup: Setup
    backups: Backups
    sweep: Sweep
    tasks: PeriodicTasks
    close: Callable[[], None]
