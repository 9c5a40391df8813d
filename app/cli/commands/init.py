"""``strongroom init``: makes the parts of a deployment that are missing, each of them once.

It may be killed at any point: the next run completes the work.
"""

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from app.cli.client_env import ClientEnv, base_url
from app.cli.deployment import deployment_of
from app.cli.gateway_key_file import make_gateway_key
from app.cli.private_files import create, drop_draft
from app.cli.stored_rows import say_damaged
from app.client.messages import say
from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey, IssuedApiKey
from app.domain.damage import DamagedRow
from app.domain.errors import AccountNameExists
from app.domain.operations.system_errors import name_of
from app.services.container import Services
from backends.local_fernet import new_key_file
from config import Settings, SettingsError, load
from config.directories import make_private_directory, other_cause

_HOME = "STRONGROOM_HOME"
_ACCOUNT_NAME = "default"
_KEY_NAME = "client.env"


@click.command()
@click.pass_obj
def init(environ: Mapping[str, str]) -> None:
    """Make the parts that are missing: key file, database, first account, API key, client.env.

    A key file is made only where there is no database. The API key is printed once, as lines for a
    shell, and written to client.env in STRONGROOM_HOME.
    """
    settings = load(environ)
    url = base_url(settings.bind)
    with _locked(settings.home):
        _make_key_file(settings)
        with deployment_of(settings) as services:
            fingerprint = services.setup.initialise()
            issued = _hand_out_first_key(services, ClientEnv(settings.home), url)
            make_gateway_key(services.gateway_keys, settings)
    if fingerprint is not None:
        say(f"the value for STRONGROOM_SYSTEM_KEY_FINGERPRINT, if you set it: {fingerprint}")
    if issued is not None:
        click.echo(f"export RUNLOOP_BASE_URL={url}")
        click.echo(f"export RUNLOOP_API_KEY={issued.token.reveal()}")


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Make the home directory if it is missing, and lock it against another ``init``.

    Raises:
        SettingsError: It cannot be made, or others may look into it.
    """
    try:
        make_private_directory(home)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        fault = f"{_HOME}: the directory cannot be made or read ({name_of(error)})."
        raise SettingsError([fault]) from None
    try:
        found = os.fstat(descriptor)
        if stat.S_IMODE(found.st_mode) & 0o077:
            cause = other_cause(home, found)
            raise SettingsError([f"{_HOME}: the directory must be of mode 0700{cause}."])
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # some network file systems have no locks
            raise SettingsError([f"{_HOME}: the file system has no locks (flock)."]) from None
        yield
    finally:
        os.close(descriptor)


def _make_key_file(settings: Settings) -> None:
    from app.dependencies import database_exists  # noqa: PLC0415 - app.cli.deployment
    from app.key_files import first_key_file  # noqa: PLC0415 - app.cli.deployment

    path = first_key_file(settings)
    if path is None or database_exists(settings):
        return
    if os.path.lexists(path):  # used as it is, also in a read-only directory
        drop_draft(path)
        return
    try:
        made = create(path, new_key_file())
    except OSError as error:
        fault = f"STRONGROOM_KEYS: the key file cannot be made ({name_of(error)})."
        raise SettingsError([fault]) from None
    if made:
        say("made a key file; keep a copy of it apart from the database.")


def _hand_out_first_key(services: Services, client_env: ClientEnv, url: str) -> IssuedApiKey | None:
    """Issue the first API key if there is none. A damaged API key counts as one."""
    account = _first_account(services, again=client_env.begun)
    if client_env.exists:
        client_env.follow(url)
        return None
    if account is None:
        return None
    if client_env.begun:
        _revoke_lost_keys(services, account)
    elif any(True for _ in services.api_keys.list(account.id)):
        return None
    client_env.begin()
    issued = services.api_keys.issue(account.id, name=_KEY_NAME)
    client_env.finish(url, issued.token)
    return issued


def _first_account(services: Services, *, again: bool) -> Account | None:
    """Return the first undamaged account, or make one. Returns None if all are damaged.

    Args:
        again: True if an earlier run died while it issued the first API key, so that nobody uses
            the account yet.
    """
    damaged: list[DamagedRow] = []
    for account in services.accounts.list():
        if isinstance(account, Account):
            say_damaged(damaged)
            return account
        damaged.append(account)
    say_damaged(damaged)
    if damaged and not again:
        return None
    # A damaged account keeps its name.
    name = f"{_ACCOUNT_NAME}-{len(damaged) + 1}" if damaged else _ACCOUNT_NAME
    try:
        return services.accounts.create(name)
    except AccountNameExists:  # made by another node since it was looked for
        return services.accounts.require(name)


def _revoke_lost_keys(services: Services, account: Account) -> None:
    for key in services.api_keys.list(account.id):
        if isinstance(key, ApiKey) and key.name == _KEY_NAME:
            services.api_keys.revoke(account.id, key.id)
