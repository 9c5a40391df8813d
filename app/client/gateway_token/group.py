"""The commands of ``strongroom gateway-token``."""

import click

from app.client.command_line import ClientGroup
from app.client.lazy_group import LazyCommand

_COMMANDS = {
    "list": LazyCommand(
        "app.client.gateway_token.list_tokens:list_tokens",
        "List live gateway tokens, newest first.",
    ),
    "revoke": LazyCommand(
        "app.client.gateway_token.revoke_tokens:revoke_tokens",
        "Revoke gateway tokens by their ids, or all of a box.",
    ),
}


@click.group("gateway-token", cls=ClientGroup, table=_COMMANDS)
def gateway_token() -> None:
    """Gateway tokens of your account, with which agents use secrets: list, revoke.

    RUNLOOP_BASE_URL names the server; RUNLOOP_API_KEY is a key with the scope gateways:use.
    """
