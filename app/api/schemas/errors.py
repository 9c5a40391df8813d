"""The one shape of every error."""

from app.api.schemas.base import Closed, text


class ErrorView(Closed):
    """What went wrong, for a program and for a person."""

    code = text(
        "What went wrong, as one word for programs; docs/errors.md lists all.", required=True
    )
    message = text("What went wrong, as one sentence for people.", required=True)
    request_id = text("This request in the server's log.", required=True)
