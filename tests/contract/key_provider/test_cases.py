"""The table of cases is the registry's."""

from backends.keyring.registry import MODULES
from tests.contract.key_provider.cases import CASES


def test_every_registered_scheme_has_a_case_and_no_case_is_unregistered() -> None:
    assert set(CASES) == set(MODULES)
