"""The providers whose faults are tried; a row for each scheme of the registry."""

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
