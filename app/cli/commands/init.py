"""``strongroom init``: makes what is missing of a deployment, and nothing twice.

It may be killed at any point: run again, it completes what it had begun.
"""

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click

from app.bootstrap import build, database_exists
from app.cli.client_env import ClientEnv, base_url
from app.cli.home import claimed
from app.cli.private_files import create, drop_draft
from app.cli.stored_rows import say_damaged
from app.client.messages import say
from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey, IssuedApiKey
from app.domain.damage import DamagedRow
from app.domain.operations.system_errors import name_of
from app.services.container import Services
from backends.local_fernet import LocalFernet, new_key_file
from backends.provider_uri import parse_spec
from config import Settings, SettingsError, load

_ACCOUNT_NAME = "default"
_KEY_NAME = "client.env"


@click.command()
@click.pass_obj
def init(environ: Mapping[str, str]) -> None:
    """Make what is missing: key file, database, first account, API key, client.env.

    A key file is made only where there is no database. The API key is printed once, as lines for
    a shell, and stands in client.env in STRONGROOM_HOME.
    """
    settings = load(environ)
    url = base_url(settings.bind)
    with claimed(settings.home):
        _make_key_file(settings)
        with closing(build(settings)) as services:
            fingerprint = services.setup.initialise()
            issued = _hand_out_first_key(services, ClientEnv(settings.home), url)
    if fingerprint is not None:
        say(f"for STRONGROOM_SYSTEM_KEY_FINGERPRINT, if you set it: {fingerprint}")
    if issued is not None:
        click.echo(f"export RUNLOOP_BASE_URL={url}")
        click.echo(f"export RUNLOOP_API_KEY={issued.token.reveal()}")


def _make_key_file(settings: Settings) -> None:
    path = _key_file(settings)
    if path is None or database_exists(settings):
        return
    if os.path.lexists(path):  # taken as it is, also where nothing can be made
        drop_draft(path)
        return
    try:
        made = create(path, new_key_file())
    except OSError as error:
        fault = f"STRONGROOM_KEYS: the key file cannot be made ({name_of(error)})."
        raise SettingsError([fault]) from None
    if made:
        say("made a key file; keep a copy of it apart from the database.")


def _key_file(settings: Settings) -> Path | None:
    """Where the provider that wraps has its keys, if that is a file."""
    if not settings.keys:
        return None
    first = parse_spec(
        settings.keys[0],
        setting="STRONGROOM_KEYS (entry 1)",
        concurrency=1,
        files=settings.files,
    )
    return Path(first.location) if first.scheme == LocalFernet.scheme else None


def _hand_out_first_key(services: Services, client_env: ClientEnv, url: str) -> IssuedApiKey | None:
    """Issue the first API key where there is none. Damaged rows count, and stop nothing."""
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
    """The first account that is whole, made where there is none; ``None`` if all are damaged.

    Args:
        again: Whether an earlier run has begun to hand out the first API key, so that the account
            was not anybody's yet.
    """
    damaged: list[DamagedRow] = []
    for account in services.accounts.list():
        if isinstance(account, Account):
            say_damaged(damaged)
            return account
        damaged.append(account)
    say_damaged(damaged)
    return None if damaged and not again else services.accounts.create(_ACCOUNT_NAME)


def _revoke_lost_keys(services: Services, account: Account) -> None:
    for key in services.api_keys.list(account.id):
        if isinstance(key, ApiKey) and key.name == _KEY_NAME:
            services.api_keys.revoke(account.id, key.id)
