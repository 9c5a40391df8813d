"""Files of ``docker run --env-file``: one ``NAME=VALUE`` a line, everything after ``=`` verbatim.

https://docs.docker.com/reference/cli/docker/container/run/#env, and what Docker 28 does.
"""

from app.client.import_files.entries import Entry, Fault, Parsed, Place

# The white space of Go's unicode.IsSpace; Python's own has four control characters more.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_NO_NAME = "has no name before ="
_BLANK_IN_NAME = "has a blank in the name (Docker refuses export, too)"
_NO_VALUE = "has no =: Docker takes the value from its environment, this command does not"


def parse(text: str) -> Parsed:
    """Yield the entries of an env-file."""
    for number, raw in enumerate(text.split("\n"), 1):
        line, place = raw.removesuffix("\r").lstrip(_SPACE), Place(number)
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name:
            yield Fault(place, _NO_NAME)
        elif " " in name or "\t" in name:
            yield Fault(place, _BLANK_IN_NAME)
        elif not equals:
            yield Fault(place, _NO_VALUE)
        else:
            yield Entry(place, name, value)
