"""Secrets that a client names by name or by id, for a gateway config or a gateway token."""

from collections.abc import Collection

from app.domain.access.api_keys import Caller
from app.domain.ids import SECRET, is_id
from app.domain.secrets import Secret, could_be_name
from app.repository.base import Repository


def find_secrets(
    repository: Repository, caller: Caller, refs: Collection[str]
) -> dict[str, Secret]:
    """Return those of the secrets that exist, by the reference that named them.

    One that the caller may not use is missing, by its name and by its id. Whoever opens a value
    compares the name on which this is decided with the one that the value opens under.
    """
    possible = sorted({ref for ref in refs if could_be_name(ref) or is_id(ref, SECRET)})
    if not possible:
        return {}
    found = [
        secret
        for secret in repository.secrets.find(caller.account_id, possible)
        if caller.names is None or caller.names.permits(secret.name)
    ]
    by_name = {secret.name: secret for secret in found if not is_id(secret.name, SECRET)}
    by_ref = by_name | {secret.id: secret for secret in found if is_id(secret.id, SECRET)}
    return {ref: by_ref[ref] for ref in refs if ref in by_ref}
