"""The schemes that the suite runs on, one case each.

To add one:

1. Write ``tests/contract/key_provider/<scheme>_case.py`` with a subclass of ``ProviderCase`` (it
   unwraps) or ``WrapperCase`` (it only wraps; the case says how its wrappings are opened). The
   abstract methods of ``case.py`` are what it must give. Every instance serves one test and must
   use root keys that no other test uses; an expensive server belongs in a session fixture, reached
   by ``self.request.getfixturevalue``.
2. List in ``faults`` every way in which its backend fails while serving (down, throttled, denied,
   disabled, slow, cut off, …), with the error of ours that each must become, and bring each about
   in ``fault``, for as long as the context manager lasts. Break the real thing at its lowest level
   that can be reached (a socket, a vendor's response), never our own code.
3. List in ``misconfigurations`` every keyring entry that must be refused at start, and build each
   in ``misconfigured``.
4. Add the row to ``CASES``. A test holds it to the registry of ``backends``.

What only this vendor does is tested in a file of its own, ``tests/unit/backends/test_<scheme>.py``.
"""

from tests.contract.key_provider.aws_kms_case import AwsKmsCase
from tests.contract.key_provider.case import ProviderCase, WrapperCase
from tests.contract.key_provider.local_fernet_case import LocalFernetCase
from tests.contract.key_provider.recovery_case import RecoveryCase
from tests.contract.key_provider.vault_transit_case import VaultTransitCase

CASES: dict[str, type[WrapperCase]] = {
    "local-fernet": LocalFernetCase,
    "aws-kms": AwsKmsCase,
    "recovery": RecoveryCase,
    "vault-transit": VaultTransitCase,
}

PROVIDER_CASES: dict[str, type[ProviderCase]] = {
    scheme: case for scheme, case in CASES.items() if issubclass(case, ProviderCase)
}
