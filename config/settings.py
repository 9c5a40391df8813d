"""Every setting: its name, its default and its bounds. ``docs/settings.md`` has them as a table."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length

from config.files import Files
from config.gateway_settings import AT_HOME, GatewaySchema, GatewaySettings, gateway_defaults
from config.listening import Address, AddressFault, TcpAddress, parse_address, parse_addresses
from config.rates import Rate, RateFault, parse_rate, parse_store
from config.setting_fields import choice, number, optional, parsed, switch
from config.sources import Fault, read

PREFIX = "STRONGROOM_"
_MAX = 10**15 - 1

_HOME = "STRONGROOM_HOME"
_AT_HOME = ("STRONGROOM_DATABASE_URL", "STRONGROOM_KEYS", *AT_HOME)


class SettingsError(Exception):
    """The settings cannot be used; the message has a line for each fault.

    Args:
        faults: One sentence a fault; it names the setting and never the value.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(GatewaySettings):
    """The settings of one process; those of the gateway are in the base class.

    Attributes:
        files: Reads the files that settings name.
        home: The directory of the default database and key file, as it was given.
        database_url: The address of the database; not shown, since it may hold a password.
        database_connections: The number of connections to a database server in each worker.
        database_pooler: A pooler such as pgbouncer stands before the database server.
        migration_database_url: The address that migrations use, if another; not shown.
        keys: URIs of the key providers; the first wraps, all may unwrap.
        escrow_keys: URIs of the escrow keys.
        system_key_fingerprint: Of the only system data key to accept; ``None`` for any.
        name_policy: ``environment``, or ``runloop`` to admit hyphens in names of secrets.
        max_value_bytes: The size of the largest value, in bytes of UTF-8.
        data_key_max_age_days: After this, an active data key is replaced.
        data_key_cache_seconds: The time for which a process caches an opened data key.
        data_key_cache_size: The number of data keys that a process caches.
        retention_days: The time until ended injections and API keys are deleted.
        audit_retention_days: The time until records of the audit trail may be cut.
        secret_versions: The number of old versions to keep of each secret.
        secret_version_age_days: The time until an old version is deleted.
        max_secrets: The number of secrets that an account may store.
        max_injections: The number of injections, including ended ones.
        max_api_keys: The number of API keys, including ended ones.
        max_bytes: The bytes that all rows of an account may take.
        rate_limit_key: The requests that each API key may send; ``None`` for any number.
        rate_limit_account: The requests of all API keys of an account together.
        rate_limit_store: Counts for all workers; not shown, since its URL may hold a password.
        log_level: The name of a level of ``logging``.
        log_format: ``json``, ``text``, or ``auto`` for text on a terminal and JSON elsewhere.
        port: Of the default address, on loopback.
        bind: The addresses on which the server listens.
        tls_in_front: A proxy in front of every address speaks TLS.
        workers: The number of processes that serve.
        threads: The number of threads in each.
        metrics_bind: The address on which metrics are read; ``None`` counts nothing.
        trusted_proxies: The number of proxies in front whose client addresses are trusted.
        wants_colour: False if ``NO_COLOR`` is set (https://no-color.org) or the terminal is dumb.
    """

    files: Files = field(repr=False)
    wants_colour: bool
    home: Path
    database_url: str = field(repr=False)
    database_connections: int
    database_pooler: bool
    migration_database_url: str | None = field(repr=False)
    keys: tuple[str, ...] = field(repr=False)
    escrow_keys: tuple[str, ...] = field(repr=False)
    system_key_fingerprint: str | None
    name_policy: str
    max_value_bytes: int
    data_key_max_age_days: int
    data_key_cache_seconds: int
    data_key_cache_size: int
    retention_days: int
    audit_retention_days: int
    secret_versions: int
    secret_version_age_days: int
    max_secrets: int
    max_injections: int
    max_api_keys: int
    max_bytes: int
    rate_limit_key: Rate | None
    rate_limit_account: Rate | None
    rate_limit_store: str | None = field(repr=False)
    log_level: str
    log_format: str
    port: int
    bind: tuple[Address, ...]
    metrics_bind: Address | None
    tls_in_front: bool
    workers: int
    threads: int
    trusted_proxies: int

    @property
    def bind_setting(self) -> str:
        """The name of the setting that an operator changes to listen elsewhere."""
        return "PORT" if self.bind == _default_bind(self.port) else "STRONGROOM_BIND"

    @property
    def provider_concurrency(self) -> int:
        """The number of threads that may wait on one provider at once: a quarter of all."""
        return max(1, self.threads // 4)


@dataclass(frozen=True, slots=True)
class Examined:
    """The valid settings, and the faults of the others.

    Attributes:
        settings: With the default in place of each setting that is wrong.
        faults: One sentence a fault; it names the setting and never the value.
        wrong: The names of settings whose intended value is unknown.
        origins: For each setting ``default``, ``environment`` or ``file``.
    """

    settings: Settings
    faults: tuple[str, ...]
    wrong: frozenset[str]
    origins: Mapping[str, str]

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each valid setting, and its public value and origin."""
        shown = {each.name: each.repr for each in dataclass_fields(Settings)}
        for attribute, each in _SCHEMA.fields.items():
            name = str(each.data_key)
            if name not in self.wrong:
                value = getattr(self.settings, attribute)
                text = _text(value) if shown[attribute] else _summary(value)
                yield name, f"{text} ({self.origins[name]})"


def examine(environ: Mapping[str, str]) -> Examined:
    """Read the settings of ``environ``, and of the files that ``NAME_FILE`` names."""
    files = Files.of(environ)
    given, faults = read(environ, NAMES, PREFIX, files.read_trusted)
    loaded, refused = _load(given)
    faults += refused
    home = loaded["home"]
    by_default = {
        "bind": _default_bind(loaded["port"]),
        "database_url": f"sqlite:///{home}/strongroom.db",
        "keys": (f"local-fernet:{home}/keys",),
        **gateway_defaults(home, loaded["port"], loaded),
    }
    return Examined(
        settings=Settings(
            files=files, wants_colour=_wants_colour(environ), **(by_default | loaded)
        ),
        faults=tuple(fault.text for fault in faults),
        wrong=_wrong({fault.name for fault in faults} & set(NAMES), given),
        origins={name: _origin(name, given, environ) for name in NAMES},
    )


def _default_bind(port: int) -> tuple[Address, ...]:
    return (TcpAddress("127.0.0.1", port),)


def load(environ: Mapping[str, str]) -> Settings:
    """Load the settings of ``environ``, and of the files that ``NAME_FILE`` names.

    Raises:
        SettingsError: With every fault.
    """
    examined = examine(environ)
    if examined.faults:
        raise SettingsError([*examined.faults])
    return examined.settings


def texts_of(settings: Settings) -> dict[str, str]:
    """Return the value of each setting as text, secret or not, by its name."""
    return {
        str(each.data_key): _text(getattr(settings, attribute))
        for attribute, each in _SCHEMA.fields.items()
    }


def _load(given: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    """Load the valid part of ``given``. Returns it with the faults of the rest.

    A setting that is refused may make another one wrong, by leaving it to its default.
    """
    faults: list[Fault] = []
    while True:
        try:
            return _SCHEMA.load(given), faults
        except ValidationError as error:
            # Not chained: the error holds what was given.
            refused = error.messages_dict
        faults += [Fault(name, f"{name}: {' '.join(said)}") for name, said in refused.items()]
        given = {name: text for name, text in given.items() if name not in refused}


def _wrong(refused: set[str], given: Mapping[str, str]) -> frozenset[str]:
    """Return the settings that are refused, and those whose default is in a refused home."""
    if _HOME not in refused:
        return frozenset(refused)
    return frozenset(refused | {name for name in _AT_HOME if name not in given})


def _origin(name: str, given: Mapping[str, str], environ: Mapping[str, str]) -> str:
    if name not in given:
        return "default"
    return "environment" if name in environ else "file"


def _wants_colour(environ: Mapping[str, str]) -> bool:
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _text(value: object) -> str:
    """Format a value as in the environment."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return str(int(value))
    return "not set" if value is None else str(value)


def _summary(value: object) -> str:
    """Summarise a text that may contain a password."""
    if value is None:
        return "not set"
    return f"{len(value)} listed" if isinstance(value, tuple) else "not shown"


def _home(text: str) -> Path:
    # The default addresses put the path into URIs, where a question mark would end it.
    if not text or "?" in text:
        raise ValidationError("must be the path of a directory, without a question mark.")
    return Path(text)


def _fingerprint(text: str) -> str | None:
    if not re.fullmatch("([0-9a-f]{64})?", text):
        raise ValidationError("must be 64 digits from 0 to 9 and a to f.")
    return text or None


def _uris(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _rate(name: str) -> fields.Field[Rate | None]:
    return parsed(name, parse_rate, RateFault, load_default=None)


class _ServerSchema(Schema):
    home = fields.Function(deserialize=_home, data_key="STRONGROOM_HOME", load_default=Path("var"))
    database_url = fields.String(
        data_key="STRONGROOM_DATABASE_URL", validate=Length(min=1, error="must not be empty.")
    )
    database_connections = number("STRONGROOM_DATABASE_CONNECTIONS", 8, 1, 100)
    database_pooler = switch("STRONGROOM_DATABASE_POOLER")
    migration_database_url = fields.Function(
        deserialize=optional, data_key="STRONGROOM_MIGRATION_DATABASE_URL", load_default=None
    )
    keys = fields.Function(deserialize=_uris, data_key="STRONGROOM_KEYS")
    escrow_keys = fields.Function(
        deserialize=_uris, data_key="STRONGROOM_ESCROW_KEYS", load_default=()
    )
    system_key_fingerprint = fields.Function(
        deserialize=_fingerprint, data_key="STRONGROOM_SYSTEM_KEY_FINGERPRINT", load_default=None
    )
    name_policy = choice("STRONGROOM_NAME_POLICY", "environment", "runloop", default="environment")
    max_value_bytes = number("STRONGROOM_MAX_VALUE_BYTES", 65536, 1, 65536)
    data_key_max_age_days = number("STRONGROOM_DATA_KEY_MAX_AGE", 30, 1, 3650)
    data_key_cache_seconds = number("STRONGROOM_DATA_KEY_CACHE_SECONDS", 300, 1, 3600)
    data_key_cache_size = number("STRONGROOM_DATA_KEY_CACHE_SIZE", 1000, 1, 100_000)
    retention_days = number("STRONGROOM_RETENTION_DAYS", 30, 1, 3650)
    audit_retention_days = number("STRONGROOM_AUDIT_RETENTION_DAYS", 400, 1, 36500)
    secret_versions = number("STRONGROOM_SECRET_VERSIONS", 5, 0, 100)
    secret_version_age_days = number("STRONGROOM_SECRET_VERSION_AGE", 90, 1, 3650)
    max_secrets = number("STRONGROOM_MAX_SECRETS", 2_000_000, 1, _MAX)
    max_injections = number("STRONGROOM_MAX_INJECTIONS", 1_000_000, 1, _MAX)
    max_api_keys = number("STRONGROOM_MAX_API_KEYS", 100_000, 1, _MAX)
    max_bytes = number("STRONGROOM_MAX_BYTES", 10 * 1024**3, 1, _MAX)
    rate_limit_key = _rate("STRONGROOM_RATE_LIMIT_KEY")
    rate_limit_account = _rate("STRONGROOM_RATE_LIMIT_ACCOUNT")
    rate_limit_store = parsed(
        "STRONGROOM_RATE_LIMIT_STORE", parse_store, RateFault, load_default=None
    )
    log_level = choice("STRONGROOM_LOG_LEVEL", "DEBUG", "INFO", "WARNING", "ERROR", default="INFO")
    log_format = choice("STRONGROOM_LOG_FORMAT", "auto", "json", "text", default="auto")
    port = number("PORT", 8080, 1, 65535)
    bind = parsed("STRONGROOM_BIND", parse_addresses, AddressFault)
    metrics_bind = parsed("STRONGROOM_METRICS_BIND", parse_address, AddressFault, load_default=None)
    tls_in_front = switch("STRONGROOM_TLS_IN_FRONT")
    workers = number("STRONGROOM_WORKERS", 2, 1, 64)
    threads = number("STRONGROOM_THREADS", 32, 1, 256)
    trusted_proxies = number("STRONGROOM_TRUSTED_PROXIES", 0, 0, 4)

    @validates_schema(skip_on_field_errors=False)
    def _refuse_clear_text_from_elsewhere(self, data: dict[str, Any], **_: object) -> None:
        """Refuse addresses over which credentials and values would cross a network in clear."""
        if "tls_in_front" not in data or data["tls_in_front"]:
            return
        if any(
            isinstance(each, TcpAddress) and not each.is_loopback for each in data.get("bind", ())
        ):
            raise ValidationError(
                "must list Unix sockets and loopback addresses only, unless a proxy in front "
                "speaks TLS and STRONGROOM_TLS_IN_FRONT=1 is set.",
                "STRONGROOM_BIND",
            )


class _SettingsSchema(GatewaySchema, _ServerSchema):
    class Meta:
        unknown = EXCLUDE


_SCHEMA = _SettingsSchema()

NAMES = tuple(str(each.data_key) for each in _SCHEMA.fields.values())
"""The names of all settings."""
