"""Names of AWS KMS keys: ARNs of keys and aliases, and the ``key_ref`` of a wrapping.

A ``key_ref`` is the key's ARN, followed by ``#`` and the ``KeyMaterialId`` where KMS returns one.
No ARN holds a ``#``, and the two together stay under 400 characters.
"""

import re
from dataclasses import dataclass, replace

_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-cn|-us-gov|-eusc|-iso(?:-[bef])?)?)"
    r":kms:(?P<region>[a-z]{2,4}(?:-[a-z]{1,16}){1,2}-[0-9]{1,2})"
    r":(?P<account>[0-9]{12})"
    # KMS's own pattern for alias names; alias/aws/ names keys that only AWS services may use.
    r":(?P<resource>alias/(?!aws/)[A-Za-z0-9/_-]{1,250}"
    r"|key/(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))"
)
_MATERIAL = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class KmsArn:
    """The ARN of a key or of an alias."""

    partition: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> "KmsArn | None":
        """The ARN that ``text`` is, or ``None`` when it is not one of a KMS key or alias."""
        match = _ARN.fullmatch(text)
        return cls(**match.groupdict()) if match else None

    @property
    def is_alias(self) -> bool:
        """True for an alias, which may be moved from key to key."""
        return self.resource.startswith("alias/")

    @property
    def is_multi_region(self) -> bool:
        """True for a key that has replicas in other Regions, or may have."""
        return self.resource.startswith("key/mrk-")

    def is_same_key(self, other: "KmsArn") -> bool:
        """Compare the root keys that both name. A multi-Region key is the same in every Region."""
        if self.is_multi_region:
            return replace(self, region=other.region) == other
        return self == other

    def could_name(self, key: "KmsArn") -> bool:
        """Return whether ``key`` lies where the target of this alias must lie."""
        return replace(self, resource=key.resource) == key and not key.is_alias

    def __str__(self) -> str:
        return f"arn:{self.partition}:kms:{self.region}:{self.account}:{self.resource}"


def key_ref(key: KmsArn, material: str | None) -> str:
    """The key_ref of a wrapping under this key and this material of it.

    Raises:
        ValueError: The material's name is not one.
    """
    if material is None:
        return str(key)
    if not _MATERIAL.fullmatch(material):
        raise ValueError("not the name of a key material")
    return f"{key}#{material}"


def key_of(key_ref: str) -> KmsArn | None:
    """The key that a ``key_ref`` names, or ``None`` when it is none of ours."""
    text, mark, material = key_ref.partition("#")
    key = KmsArn.parse(text)
    if key is None or key.is_alias or (mark and not _MATERIAL.fullmatch(material)):
        return None
    return key


def root_of(key_ref: str) -> str:
    """The key of a ``key_ref`` and a ``#``, without the material, and the Region of several.

    No ``key_ref`` ends so: a key whose material KMS does not return is the bare ARN.
    """
    key = key_of(key_ref)
    if key is None:
        return key_ref
    return f"{replace(key, region='') if key.is_multi_region else key}#"
