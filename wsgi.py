"""The application that gunicorn imports in each worker. It reads the environment here."""

import os

from app.client.redeem import forbid_dumps
from app.factory import create_app
from config import in_force

forbid_dumps()  # here too: a worker that changed its user may leave cores again
app = create_app(in_force.load(os.environ))
