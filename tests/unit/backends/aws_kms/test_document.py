"""The documentation's policy allows what is asked of KMS and no more; its table has every message.

moto evaluates actions but neither key policies nor conditions, and knows ``ReEncrypt`` by the
operation's name instead of the two permissions that KMS asks for.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from backends.aws_kms.provider import AwsKms
from backends.context import KeyContext
from backends.errors import KeyAccessDenied, KeyProviderError
from tests.unit.backends.aws_kms.conftest import CALLS, SETTING, provider_of
from tests.unit.backends.aws_kms.faults import FAULTS
from tests.unit.backends.aws_kms.kms import Kms

DOCUMENT = Path(__file__).parents[4] / "docs" / "keys" / "aws-kms.md"
SET_UP = 4
"""Calls that make the user, its policy, its credentials and the key."""

NEEDED = {
    "generate": "kms:GenerateDataKey",
    "unwrap": "kms:Decrypt",
    "rewrap": "kms:ReEncrypt",
    "wrap": "kms:Encrypt",
}


def documented_actions() -> set[str]:
    policy = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0])
    (statement,) = policy["Statement"]
    return set(statement["Action"])


def as_moto_knows_them(actions: set[str]) -> set[str]:
    both = {"kms:ReEncryptFrom", "kms:ReEncryptTo"}
    return actions - both | {"kms:ReEncrypt"} if both <= actions else actions - both


def allow(actions: set[str], patch: pytest.MonkeyPatch) -> str:
    """Become a user who may do this and no more; gives the ARN of a new key."""
    iam = boto3.session.Session().client("iam", "us-east-1")
    iam.create_user(UserName="strongroom")
    statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="strongroom", PolicyName="keys", PolicyDocument=policy)
    credentials = iam.create_access_key(UserName="strongroom")["AccessKey"]
    arn = boto3.session.Session().client("kms", "eu-west-1").create_key()["KeyMetadata"]["Arn"]
    patch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
    patch.setenv("AWS_SESSION_TOKEN", "")
    return str(arn)


@pytest.fixture
def user_with() -> Iterator[Callable[[set[str]], AwsKms]]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        yield lambda actions: provider_of(allow(actions, patch))


def test_it_names_exactly_the_operations_that_are_called(
    kms: Kms, arn: str, context: KeyContext
) -> None:
    provider = provider_of(kms.point_alias("app", arn))
    made = provider.generate(context)
    for call in CALLS.values():
        call(provider, *made, context)
    provider.rewrap_many([(made[1], context)])
    provider.status()
    asked = {f"kms:{operation}" for operation, _ in kms.asked}
    assert asked == as_moto_knows_them(documented_actions())


@set_initial_no_auth_action_count(SET_UP)
def test_it_suffices_for_everything(
    user_with: Callable[[set[str]], AwsKms], context: KeyContext
) -> None:
    provider = user_with(as_moto_knows_them(documented_actions()))
    made = provider.generate(context)
    for call in CALLS.values():
        call(provider, *made, context)
    assert provider.status().healthy


@pytest.mark.parametrize("call", NEEDED)
@set_initial_no_auth_action_count(SET_UP + 1)
def test_no_permission_is_too_many(
    user_with: Callable[[set[str]], AwsKms], context: KeyContext, call: str
) -> None:
    provider = user_with(as_moto_knows_them(documented_actions()) - {NEEDED[call]})
    made = provider.generate(context)
    with pytest.raises(KeyAccessDenied):
        CALLS[call](provider, *made, context)


@set_initial_no_auth_action_count(SET_UP)
def test_without_describing_there_is_no_health(user_with: Callable[[set[str]], AwsKms]) -> None:
    provider = user_with(as_moto_knows_them(documented_actions()) - {"kms:DescribeKey"})
    assert not provider.status().healthy


@pytest.mark.parametrize("fault", FAULTS)
def test_the_table_of_failures_has_the_message(
    kms: Kms, provider: AwsKms, context: KeyContext, fault: str
) -> None:
    kms.fault = FAULTS[fault][1]
    with pytest.raises(KeyProviderError) as caught:
        provider.generate(context)
    assert str(caught.value).removeprefix(f"{SETTING}: ") in DOCUMENT.read_text()
