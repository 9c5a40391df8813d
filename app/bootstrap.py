"""The composition root: builds every collaborator of a process once, and connects them."""

import os
import socket
from dataclasses import dataclass
from functools import partial

from app.crypto.data_key_cache import DataKeyCache
from app.dependencies import connect_database, make_keyring
from app.domain.audit.actors import SERVER, Actor
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.operations.usage import Usage
from app.domain.secrets import NamePolicy, SecretRules
from app.gateway_parts import config_urls, endpoint_policy, system_configs
from app.own_servers import OwnServers
from app.rates.connect import make_rate_limits
from app.rates.rate_limits import RateLimits
from app.repository.base import Database
from app.services.account_deletion import AccountDeletion
from app.services.accounts import Accounts
from app.services.api_keys import ApiKeys
from app.services.audit.parts import AuditServices, audit_services
from app.services.audit.started_settings import StartedSettings
from app.services.audit.trail import AuditTrail
from app.services.audit.upkeep import MINUTE_S
from app.services.audit.witness import Witness
from app.services.authentication import Authentication
from app.services.clock import Clock, SteadyClock, now_ms
from app.services.container import Services
from app.services.diagnostics import Checkup
from app.services.gateways.admissions import Admissions
from app.services.gateways.configs import GatewayConfigs
from app.services.gateways.grants import Grants
from app.services.gateways.injected_tokens import InjectedTokens
from app.services.gateways.keys import GatewayKeys
from app.services.gateways.switch import GatewaySwitch
from app.services.gateways.tokens import GatewayTokens
from app.services.gateways.use_list import GatewayUseList
from app.services.gateways.uses import GatewayUses
from app.services.idempotency import Idempotency
from app.services.injections import Injections
from app.services.keys.data_keys import DataKeys
from app.services.keys.pauses import Pauses
from app.services.keys.root_key_proof import RootKeyProof
from app.services.keys.status import KeyringStatus
from app.services.keys.system_key import SystemKey
from app.services.measurements import Measurements
from app.services.redeeming.redemption import Redemption
from app.services.redeeming.reuse import PAUSE_MS, Reuses
from app.services.redeeming.sealed_secret_cache import SealedSecretCache
from app.services.rotation.prefetch import Prefetch
from app.services.rotation.recover import Recovery
from app.services.rotation.reencrypt import Reencrypt
from app.services.rotation.retire import Retire
from app.services.rotation.rewrap import Rewrap
from app.services.rows.limits import Limits
from app.services.secrets import Secrets
from app.services.setup import Setup
from app.services.upkeep.audit_log import AUDIT_LOOK_S, AuditLogUpkeep
from app.services.upkeep.backups import Backups
from app.services.upkeep.heartbeats import LOOK_S, Heartbeats
from app.services.upkeep.periodic import PeriodicTasks
from app.services.upkeep.readiness import Readiness
from app.services.upkeep.retention import DAY_MS, Retention
from app.services.upkeep.sweep import TICK_SECONDS, Sweep
from app.services.versions.archive import Archive
from app.services.versions.secret_versions import SecretVersions
from backends.keyring.keyring import Keyring
from backends.keyring.registry import create_keyring
from backends.lifetime import AgeClock, Seconds, boot_seconds
from config.settings import Settings, texts_of

CLOCK_SECONDS = 60.0
"""The interval at which a worker checks if its wall clock was set."""

CREDENTIALS_SECONDS = 20.0
"""The interval at which a worker checks if credentials for its key providers end soon."""

KEYS_SECONDS = 5.0
"""The interval at which a worker maintains its keys, unless their lifetime is short."""

SWEEP_AFTER_SECONDS = 5.0
"""From a worker's start to its first sweep."""

STOP_SECONDS = 5.0
"""The seconds for which closing waits for periodic tasks under way."""


@dataclass(frozen=True, slots=True)
class _Base:
    """The parts that every service stands on: settings, key providers, database and clocks."""

    settings: Settings
    keyring: Keyring
    database: Database
    clock: SteadyClock
    age: AgeClock
    trail: AuditTrail


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys in the memory of this process, and what opens them."""

    cache: DataKeyCache
    system_key: SystemKey
    data_keys: DataKeys


@dataclass(frozen=True, slots=True)
class _Writing:
    """The parts that services which write share."""

    idempotency: Idempotency
    limits: Limits
    system_configs: SystemConfigs
    archive: Archive


@dataclass(frozen=True, slots=True)
class _Upkeep:
    """The work of a worker at intervals."""

    retention: Retention
    sweep: Sweep
    heartbeats: Heartbeats
    audit: AuditServices
    audit_log: AuditLogUpkeep
    tasks: PeriodicTasks


def build(
    settings: Settings,
    *,
    database: Database | None = None,
    keyring: Keyring | None = None,
    actor: Actor = SERVER,
    wall: Clock = now_ms,
    boot: Seconds = boot_seconds,
) -> Services:
    """Build the services of one process; call it after the fork.

    Args:
        actor: Who does what no request asks for.
        database: Used instead of the one that the settings name.
        keyring: Used instead of the one that the settings name.
        wall: The wall clock, in Unix milliseconds.
        boot: Seconds since boot, a clock that nobody can set.

    Raises:
        KeyProviderConfigError: The keyring settings are wrong; names the setting.
        DatabaseMisconfigured: The database's address cannot be used; names the setting.
    """
    clock = SteadyClock(wall, boot)
    base = _Base(
        settings=settings,
        keyring=keyring or make_keyring(settings, create_keyring),
        database=database or connect_database(settings),
        clock=clock,
        age=AgeClock(boot, wall),
        trail=AuditTrail(clock.now_ms, actor, Witness()),
    )
    keys = _keys(base)
    return _services(base, keys, _upkeep(base, keys))


def _keys(base: _Base) -> _Keys:
    settings, keyring, database = base.settings, base.keyring, base.database
    life_s = settings.data_key_cache_seconds
    cache = DataKeyCache(
        max_keys=settings.data_key_cache_size,
        ttl_seconds=life_s,
        clock=base.age,
        waiters=keyring.waiters,
    )
    system_key = SystemKey(
        database,
        keyring,
        base.clock.now_ms,
        RootKeyProof(life_s, base.age, cache.clear),
        base.trail,
        settings.system_key_fingerprint,
    )
    data_keys = DataKeys(
        database,
        keyring,
        cache,
        system_key,
        base.clock,
        age_ms=base.age.ms,
        max_age_ms=settings.data_key_max_age_days * DAY_MS,
        trail=base.trail,
    )
    return _Keys(cache, system_key, data_keys)


def _upkeep(base: _Base, keys: _Keys) -> _Upkeep:
    host = socket.gethostname()
    node = f"{host}/{os.getpid()}"
    retention = Retention(
        base.clock,
        base.settings.retention_days * DAY_MS,
        version_age_ms=base.settings.secret_version_age_days * DAY_MS,
        version_count=base.settings.secret_versions,
    )
    system_key, trail = keys.system_key, base.trail
    sweep = Sweep(base.database, system_key, retention, base.clock, base.age, trail)
    heartbeats = Heartbeats(base.database, base.keyring, system_key, node, base.age, trail)

    kept_ms, clock = base.settings.audit_retention_days * DAY_MS, base.clock.now_ms
    started = StartedSettings(base.database, trail, clock, host, texts_of(base.settings))
    audit = audit_services(base.database, system_key, clock, trail, kept_ms, started)
    audit_log = AuditLogUpkeep(base.database, audit.sealer, audit.heads, base.age)

    keys_s = min(KEYS_SECONDS, base.settings.data_key_cache_seconds / 4)
    tasks = PeriodicTasks()
    tasks.add("clock", CLOCK_SECONDS, base.clock.look)
    tasks.add("credentials", CREDENTIALS_SECONDS, base.keyring.prepare)
    tasks.add("root_key_proof", keys_s, keys.system_key.renew_proof)
    tasks.add("data_key_cache", keys_s, keys.cache.expire)
    tasks.add("heartbeat", LOOK_S, heartbeats.look)
    tasks.add("sweep", TICK_SECONDS, sweep.run, first_after_s=SWEEP_AFTER_SECONDS)
    tasks.add("audit", MINUTE_S, audit.upkeep.run)
    tasks.add("audit_log", AUDIT_LOOK_S, audit_log.look, first_after_s=AUDIT_LOOK_S)
    return _Upkeep(retention, sweep, heartbeats, audit, audit_log, tasks)


def _services(base: _Base, keys: _Keys, upkeep: _Upkeep) -> Services:
    keyring, database, clock = base.keyring, base.database, base.clock.now_ms
    system_key, trail = keys.system_key, base.trail
    settings, rate_limits = base.settings, make_rate_limits(base.settings)
    writing = _writing(base, keys)
    limits, idempotency = writing.limits, writing.idempotency
    grants = Grants(writing.system_configs.get, endpoint_policy(settings), clock)
    retention, tokens = upkeep.retention, _injected_tokens(base, writing)
    return Services(
        authentication=Authentication(database, system_key, clock),
        rate_limits=rate_limits,
        secrets=_secrets(base, keys, writing),
        secret_versions=_secret_versions(base, keys, writing),
        api_keys=ApiKeys(database, system_key, idempotency, clock, limits, trail),
        accounts=_accounts(base, keys),
        account_deletion=_account_deletion(base, keys),
        injections=Injections(database, system_key, idempotency, clock, limits, retention, tokens),
        redemption=_redemption(base, keys, rate_limits, tokens),
        admissions=_admissions(base, keys, grants, rate_limits),
        gateway_uses=GatewayUses(database, system_key, grants, trail),
        gateway_keys=GatewayKeys(database, system_key, clock, trail),
        gateway_switch=GatewaySwitch(database, system_key, clock, trail),
        gateway_configs=_gateway_configs(base, keys, writing),
        gateway_tokens=_gateway_tokens(base, keys, writing),
        gateway_use_list=GatewayUseList(database, system_key),
        keyring_status=KeyringStatus(database, keyring),
        rewrap=Rewrap(database, keyring, system_key, trail),
        reencrypt=_reencrypt(base, keys),
        retire=Retire(database, keyring, system_key, trail),
        recovery=Recovery(database, keyring, system_key, clock, trail),
        heartbeats=upkeep.heartbeats,
        measurements=Measurements(database, keyring, keys.cache, clock, upkeep.audit_log),
        readiness=Readiness(database, system_key, upkeep.heartbeats),
        checkup=Checkup(database, keyring, system_key, clock),
        setup=Setup(database, system_key),
        backups=Backups(database, system_key, clock, trail),
        sweep=upkeep.sweep,
        audit=upkeep.audit,
        tasks=upkeep.tasks,
        close=partial(_close, base, keys, upkeep, rate_limits),
    )


def _accounts(base: _Base, keys: _Keys) -> Accounts:
    return Accounts(base.database, keys.system_key, base.clock.now_ms, base.trail)


def _account_deletion(base: _Base, keys: _Keys) -> AccountDeletion:
    accounts, clock = _accounts(base, keys), base.clock.now_ms
    return AccountDeletion(base.database, keys.system_key, accounts, clock, base.trail)


def _secrets(base: _Base, keys: _Keys, writing: _Writing) -> Secrets:
    limits, idempotency = writing.limits, writing.idempotency
    settings = base.settings
    rules = SecretRules(NamePolicy(settings.name_policy), settings.max_value_bytes)
    return Secrets(base.database, keys.data_keys, idempotency, rules, limits, writing.archive)


def _redemption(
    base: _Base, keys: _Keys, rate_limits: RateLimits, tokens: InjectedTokens
) -> Redemption:
    return Redemption(
        base.database,
        keys.data_keys,
        keys.system_key,
        base.clock.now_ms,
        SealedSecretCache(base.age.ms),
        rate_limits,
        tokens,
        base.trail,
        Reuses(base.database, base.trail, Pauses(base.age.ms, PAUSE_MS)),
    )


def _reencrypt(base: _Base, keys: _Keys) -> Reencrypt:
    ahead, clock = Prefetch(base.keyring, keys.cache), base.clock.now_ms
    return Reencrypt(base.database, keys.data_keys, ahead, keys.system_key, clock, base.trail)


def _admissions(base: _Base, keys: _Keys, grants: Grants, rate_limits: RateLimits) -> Admissions:
    return Admissions(
        base.database,
        keys.data_keys,
        keys.system_key,
        base.clock.now_ms,
        grants,
        rate_limits,
        bool(base.settings.gateway_networks),
        OwnServers(base.settings),
        base.trail,
    )


def _writing(base: _Base, keys: _Keys) -> _Writing:
    limits = Limits(_limits(base.settings))
    return _Writing(
        Idempotency(base.database, keys.system_key, base.clock, base.age.ms, base.trail),
        limits,
        system_configs(),
        Archive(limits, base.settings.secret_versions),
    )


def _secret_versions(base: _Base, keys: _Keys, writing: _Writing) -> SecretVersions:
    return SecretVersions(
        base.database, keys.data_keys, keys.system_key, writing.idempotency, writing.archive
    )


def _gateway_configs(base: _Base, keys: _Keys, writing: _Writing) -> GatewayConfigs:
    return GatewayConfigs(
        base.database,
        keys.system_key,
        writing.idempotency,
        writing.limits,
        writing.system_configs,
        endpoint_policy(base.settings),
    )


def _gateway_tokens(base: _Base, keys: _Keys, writing: _Writing) -> GatewayTokens:
    return GatewayTokens(
        base.database,
        keys.system_key,
        writing.idempotency,
        base.clock.now_ms,
        writing.limits,
        writing.system_configs,
        config_urls(base.settings),
        base.settings.gateway_token_ttl,
    )


def _injected_tokens(base: _Base, writing: _Writing) -> InjectedTokens:
    urls, ttl_s = config_urls(base.settings), base.settings.gateway_token_ttl
    return InjectedTokens(writing.limits, writing.system_configs, urls, ttl_s)


def _limits(settings: Settings) -> Usage:
    return Usage(
        secrets=settings.max_secrets,
        injections=settings.max_injections,
        api_keys=settings.max_api_keys,
        bytes=settings.max_bytes,
    )


def _close(base: _Base, keys: _Keys, upkeep: _Upkeep, rate_limits: RateLimits) -> None:
    upkeep.tasks.stop(STOP_SECONDS)
    upkeep.audit.upkeep.end()
    upkeep.heartbeats.end()
    keys.cache.clear()
    rate_limits.close()
    base.keyring.close()
    base.database.close()
