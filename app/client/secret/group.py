"""The commands of ``strongroom secret``."""

import click

from app.client.command_line import ClientGroup
from app.client.lazy_group import LazyCommand

_COMMANDS = {
    "set": LazyCommand("app.client.secret.set_value:set_value", "Create or replace a secret."),
    "list": LazyCommand("app.client.secret.list_secrets:list_secrets", "List secrets."),
    "get": LazyCommand(
        "app.client.secret.get_secret:get_secret", "Show when a secret was created and updated."
    ),
    "delete": LazyCommand(
        "app.client.secret.delete_secrets:delete_secrets", "Delete secrets for good."
    ),
    "history": LazyCommand("app.client.secret.history:history", "List the versions of a secret."),
    "rollback": LazyCommand(
        "app.client.secret.history:rollback", "Make an old value the current one."
    ),
    "import": LazyCommand(
        "app.client.secret.import_file:import_file", "Create the secrets that a file names."
    ),
    "export": LazyCommand(
        "app.client.secret.export_values:export_values", "Write values to a file or a pipe."
    ),
}


@click.group("secret", cls=ClientGroup, table=_COMMANDS)
def secret() -> None:
    """Secrets of your account: set, list, get, delete, history, rollback, import, export.

    RUNLOOP_BASE_URL names the server; RUNLOOP_API_KEY is the account's key.
    """
