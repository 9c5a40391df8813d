"""The base of all ratios: Flask with one view that returns a constant JSON."""

from flask import Flask, Response

app = Flask(__name__)
_BODY = b'{"id":"sec_0000000000000000000000","name":"NAME","create_time_ms":1,"update_time_ms":1}'


@app.get("/")
def constant() -> Response:
    """The constant."""
    return Response(_BODY, mimetype="application/json")
