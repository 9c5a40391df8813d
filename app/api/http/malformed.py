"""Malformed requests, refused before any service runs. No error holds what was sent."""


class MalformedRequest(Exception):
    """A request that cannot be understood; its text goes to the client."""


class WrongContentType(MalformedRequest):
    """The body is not declared as JSON in UTF-8."""

    def __init__(self) -> None:
        super().__init__("The content type of a body must be application/json, in UTF-8.")


class BodyMissing(MalformedRequest):
    """The endpoint needs a body, and there is none."""

    def __init__(self) -> None:
        super().__init__("This operation needs a JSON body.")


class InvalidJson(MalformedRequest):
    """The body is not one JSON object under our strict rules.

    Args:
        rule: The broken rule, as ``must …``.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"The body is not valid JSON: it {rule}.")


class InvalidRequestId(MalformedRequest):
    """The client's ``x-request-id`` is not valid."""

    def __init__(self) -> None:
        super().__init__("x-request-id must be 1 to 255 visible ASCII characters.")
