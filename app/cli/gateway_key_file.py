"""``gateway.key``: the file with the key by which the gateway of this machine asks for admissions.

The file is written before the row is stored. A process that dies in between leaves a file whose key
the next ``strongroom init`` stores.
"""

import os

from app.cli.private_files import replace
from app.client.messages import say
from app.domain.operations.system_errors import name_of
from app.domain.redaction import Redacted
from app.services.gateways.keys import GatewayKeys
from config import Settings, SettingsError
from config.files import UnsafeFile

SETTING = "STRONGROOM_GATEWAY_KEY_FILE"

_NAME = "gateway.key"


def make_gateway_key(keys: GatewayKeys, settings: Settings) -> None:
    """Make the file and its key, unless the deployment has a gateway key.

    A file of another deployment is replaced: its key is good for nothing here.

    Raises:
        SettingsError: The file cannot be read or made.
    """
    path = settings.gateway_key_file
    if os.path.lexists(path) and keys.add(_NAME, read_gateway_key(settings)):
        return
    if keys.any_stored():  # an operator took the file to another machine
        return
    issued = keys.new(_NAME)
    try:
        replace(path, f"{issued.token.reveal()}\n".encode())
    except OSError as error:
        fault = f"{SETTING}: the file cannot be made ({name_of(error)})."
        raise SettingsError([fault]) from None
    keys.add(_NAME, issued.token)
    say("made a key for the agent gateway.")


def read_gateway_key(settings: Settings) -> Redacted:
    """Read the key of the gateway.

    Raises:
        SettingsError: The file cannot be read, or others may read it.
    """
    try:
        return Redacted(settings.files.read_private(settings.gateway_key_file).decode().strip())
    except UnsafeFile as fault:
        raise SettingsError([f"{SETTING}: the file {fault}."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{SETTING}: the file must hold a gateway key."]) from None
