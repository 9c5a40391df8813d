"""What gunicorn imports in each worker; the server reads its environment here and nowhere else."""

import os

from app.factory import create_app, create_refusing_app
from config import SettingsError, load

try:
    app = create_app(load(os.environ))
except SettingsError as error:
    app = create_refusing_app(error)
