"""KMS over HTTP by ``moto_server``, in a process of its own; it is not KMS in all it does."""

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests

REGION = "eu-west-1"
_START_SECONDS = 60.0


def environment_for(host: str) -> dict[str, str]:
    """The environment that a process needs to call KMS at this host."""
    return {
        "AWS_ENDPOINT_URL_KMS": f"http://{host}",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }


class KmsServer:
    """Root keys, as their administrator sees them.

    Attributes:
        host: ``127.0.0.1:PORT``.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._client = _client("kms", host)

    def create_key(self, **options: str) -> str:
        """The ARN of a new key."""
        return str(self._client.create_key(**options)["KeyMetadata"]["Arn"])

    def point_alias(self, name: str, arn: str) -> str:
        """The ARN of the alias, made or moved to this key."""
        alias = {"AliasName": f"alias/{name}", "TargetKeyId": arn}
        if any(each["AliasName"] == f"alias/{name}" for each in self._aliases()):
            self._client.update_alias(**alias)
        else:
            self._client.create_alias(**alias)
        return f"{arn.partition(':key/')[0]}:alias/{name}"

    def disable(self, arn: str) -> None:
        """Switch the key off."""
        self._client.disable_key(KeyId=arn.rpartition("/")[2])

    def user(self, *actions: str) -> dict[str, str]:
        """The credentials of a new user who may do this and nothing else, once that counts."""
        iam = _client("iam", self.host)
        name = f"user-{uuid.uuid4().hex}"
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="keys", PolicyDocument=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        iam.close()
        return {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        }

    def enforce_permissions(self) -> None:
        """From now on, let users do what they may, and let nobody else do anything."""
        url = f"http://{self.host}/moto-api/reset-auth"
        requests.post(url, data=b"0", timeout=30).raise_for_status()

    def schedule_deletion(self, arn: str) -> None:
        """Let the key wait for its deletion."""
        self._client.schedule_key_deletion(KeyId=arn.rpartition("/")[2], PendingWindowInDays=7)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _aliases(self) -> list[dict[str, str]]:
        aliases: list[dict[str, str]] = self._client.list_aliases()["Aliases"]
        return aliases


def _client(service: str, host: str) -> Any:
    return boto3.client(
        service,
        REGION,
        endpoint_url=f"http://{host}",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


@contextmanager
def kms_server(directory: Path) -> Iterator[KmsServer]:
    """A server of our own, empty; its log is in ``directory``."""
    log = directory / "kms.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", "0"],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        server = KmsServer(_host(log))
        yield server
        server.close()
    finally:
        process.kill()
        process.wait()


def _host(log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        told = re.search(r"Running on http://([0-9.]+:[0-9]+)", log.read_text())
        if told:
            return told[1]
        time.sleep(0.02)
    raise TimeoutError(f"moto_server did not start: {log.read_text()}")
