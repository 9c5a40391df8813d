"""The schema of every error."""

from app.api.schemas.base import Closed, text


class ErrorView(Closed):
    """An error, for a program and for a person."""

    code = text("The error as one word for programs; docs/errors.md lists all.", required=True)
    message = text("The error as one sentence for people.", required=True)
    request_id = text("The id of this request in the server's log.", required=True)
