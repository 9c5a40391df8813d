"""Ids of secrets in paths. A secret may be called ``id``, and then has paths below its name."""

from werkzeug.routing import BaseConverter

SECRET_ID = "secret_id"  # noqa: S105 - the converter's name in routes


class SecretIdConverter(BaseConverter):
    """Matches a part of a path that begins as the ids of secrets do, and no other.

    ``/v1/secrets/id/versions`` is then the list of versions of a secret that is called ``id``.
    """

    regex = "sec_[^/]+"
    part_isolating = True
