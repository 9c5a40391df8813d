"""The providers whose faults meet every operation."""

from collections.abc import Mapping

from tests.faults.aws_kms import AwsKmsBackend
from tests.faults.fault import Backend
from tests.faults.local_fernet import LocalFernetBackend
from tests.faults.recovery import RecoveryBackend
from tests.faults.vault_transit import VaultTransitBackend

BACKENDS: Mapping[str, type[Backend]] = {
    "local-fernet": LocalFernetBackend,
    "aws-kms": AwsKmsBackend,
    "recovery": RecoveryBackend,
    "vault-transit": VaultTransitBackend,
}
