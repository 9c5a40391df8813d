"""What is gunicorn's: connections, their bounds in time, and answers to what is no request."""
