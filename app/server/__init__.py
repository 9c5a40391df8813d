"""The parts for WSGI and gunicorn: the application, the worker, and its connections."""
