"""Which names of secrets a deployment admits, and what it says of the others."""

import pytest

from app.domain.errors import InvalidRequest
from app.domain.secrets import NamePolicy, SecretRules

ENVIRONMENT, RUNLOOP = (SecretRules(policy, max_value_bytes=100) for policy in NamePolicy)


def refusal(rules: SecretRules, name: str) -> str:
    with pytest.raises(InvalidRequest) as refused:
        rules.check_name(name)
    return str(refused.value)


def test_a_name_with_hyphens_is_refused_with_the_setting_that_admits_it() -> None:
    assert refusal(ENVIRONMENT, "MY-NAME") == (
        "The name is not valid: name must hold no hyphens; the server's setting "
        "STRONGROOM_NAME_POLICY=runloop admits them."
    )


def test_a_name_with_hyphens_is_admitted_by_that_setting() -> None:
    RUNLOOP.check_name("MY-NAME")


@pytest.mark.parametrize("name", ["", "1ST", "Ä", "A B", "A" * 256, "-A", "A\n", "1-ST", "A-Ä"])
@pytest.mark.parametrize("rules", [ENVIRONMENT, RUNLOOP], ids=["environment", "runloop"])
def test_any_other_name_is_refused_with_the_rule_in_words(rules: SecretRules, name: str) -> None:
    assert "must be 1 to 255 ASCII letters" in refusal(rules, name)


@pytest.mark.parametrize("rules", [ENVIRONMENT, RUNLOOP], ids=["environment", "runloop"])
def test_the_longest_name_is_admitted(rules: SecretRules) -> None:
    rules.check_name("A" * 255)
