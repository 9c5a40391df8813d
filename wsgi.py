"""What gunicorn imports in each worker; the server reads its environment here."""

import os

from app.factory import create_app
from config import in_force

app = create_app(in_force.load(os.environ))
