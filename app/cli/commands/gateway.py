"""``strongroom gateway``: starts the gateway; its keys; the switch for all gateway traffic."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

import config
from app.cli.deployment import deployment
from app.cli.gateway_key_file import read_gateway_key
from app.cli.stored_rows import show_stored
from app.client.messages import say
from app.client.output import Row, as_json, show
from app.client.summaries import SummaryGroup
from app.domain.gateways.keys import GatewayKey
from config.gateway_settings import GATEWAY_URL

_COLUMNS = ("id", "state", "created_at_ms", "name")
_CONFIGURATION = Path(config.__file__).with_name("gateway.py")
_APPLICATION = "app.gateway.main:make_application"


@click.group(cls=SummaryGroup, invoke_without_command=True)
@click.pass_context
def gateway(context: click.Context) -> None:
    """Start the agent gateway; its keys; the switch for all its traffic.

    Without a subcommand it becomes the gateway's process. That reads its settings and its key, and
    neither the database nor a key provider.
    """
    if context.invoked_subcommand is None:
        _serve(context.obj)


def _serve(environ: Mapping[str, str]) -> None:
    settings = config.load(environ)
    if settings.gateway_url is None:
        raise config.SettingsError([f"{GATEWAY_URL}: must be set to start the gateway."])
    read_gateway_key(settings)
    program = [sys.executable, "-m", "gunicorn", "-c", str(_CONFIGURATION), _APPLICATION]
    os.execve(sys.executable, program, dict(environ))  # noqa: S606 - it takes our place


@gateway.command()
@click.pass_obj
def stop(environ: Mapping[str, str]) -> None:
    """Refuse all requests through every gateway, and end those that run within 30 seconds."""
    with deployment(environ) as services:
        is_changed = services.gateway_switch.stop()
    say("stopped all gateway traffic." if is_changed else "it was stopped already.")


@gateway.command()
@click.pass_obj
def start(environ: Mapping[str, str]) -> None:
    """Admit requests again after a stop. To start the process, leave the subcommand out."""
    with deployment(environ) as services:
        is_changed = services.gateway_switch.start()
    say("gateway traffic is admitted again." if is_changed else "it was not stopped.")


@gateway.group("key", cls=SummaryGroup)
def key() -> None:
    """The keys of gateways. Each permits to ask for admissions, and nothing else."""


@key.command()
@click.option("--name", default="gateway key", show_default=True, help="Shown in lists.")
@as_json
@click.pass_obj
def create(environ: Mapping[str, str], name: str, *, json: bool) -> None:
    """Make a key for the gateway of another machine, and print it. It cannot be shown again."""
    with deployment(environ) as services:
        issued = services.gateway_keys.new(name)
        services.gateway_keys.add(name, issued.token)
    token = issued.token.reveal()
    show({"id": issued.id, "name": issued.name, "key": token}, token, json=json)


@key.command("list")
@as_json
@click.pass_obj
def list_(environ: Mapping[str, str], *, json: bool) -> None:
    """List the keys of gateways, oldest first."""
    with deployment(environ) as services:
        show_stored(services.gateway_keys.list(), _row, _COLUMNS, json=json)


@key.command()
@click.argument("key_id", metavar="KEY")
@as_json
@click.pass_obj
def revoke(environ: Mapping[str, str], key_id: str, *, json: bool) -> None:
    """Revoke a key of a gateway: its next request for an admission is refused."""
    with deployment(environ) as services:
        revoked = services.gateway_keys.revoke(key_id)
    show(_row(revoked), f"revoked {revoked.id}", json=json)


def _row(each: GatewayKey) -> Row:
    return {
        "id": each.id,
        "state": "live" if each.is_live else "revoked",
        "created_at_ms": each.created_at_ms,
        "name": each.name,
    }
