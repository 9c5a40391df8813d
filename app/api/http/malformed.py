"""What HTTP itself refuses, before a service is asked. None of these holds what was sent."""


class RequestRefused(Exception):
    """A request that cannot be understood; its text is for whoever sent it."""


class WrongContentType(RequestRefused):
    """The body is not declared as JSON in UTF-8."""

    def __init__(self) -> None:
        super().__init__("The content type of a body must be application/json, in UTF-8.")


class BodyMissing(RequestRefused):
    """The operation needs a body, and there is none."""

    def __init__(self) -> None:
        super().__init__("This operation needs a JSON body.")


class InvalidJson(RequestRefused):
    """The body is not one JSON object under our strict rules.

    Args:
        rule: What it breaks: ``must …``.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(f"The body is not valid JSON: it {rule}.")


class InvalidRequestId(RequestRefused):
    """The client's ``x-request-id`` cannot be used to recognise a retry."""

    def __init__(self) -> None:
        super().__init__("x-request-id must be 1 to 255 visible ASCII characters.")
