"""Sources of AWS credentials, on loopback: metadata services, STS, SSO, and a command."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs

ROLE = "arn:aws:iam::123456789012:role/strongroom"
WEB_TOKEN = "the-token-of-the-pod"
SSO_CACHE = "sso-cache"
START_URL = "https://example.awsapps.com/start"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"


class Source:
    """A server that gives credentials, each time others.

    Attributes:
        url: Where it is.
        delay: Seconds before each answer.
        lives: For how many seconds credentials are good.
        status: What it answers instead of 200.
        asked: The paths and actions that it was asked for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.delay = 0.0
        self.lives = 3600
        self.status = 200
        self.asked: list[str] = []
        self._given = 0

    def credentials(self) -> dict[str, str]:
        """The next ones, as metadata services and commands spell them."""
        self._given += 1
        ends = datetime.now(UTC) + timedelta(seconds=self.lives)
        return {
            "AccessKeyId": f"KEY{self._given}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "SessionToken": "token",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class _Handler(BaseHTTPRequestHandler):
    source: Source
    over: Event

    def do_PUT(self) -> None:
        self._answer(b"imds-token")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.source.asked.append(path)
        if path.endswith("/security-credentials/"):
            self._require("x-aws-ec2-metadata-token", "imds-token", b"role")
        elif path.endswith("/security-credentials/role"):
            found = {**self.source.credentials(), "Code": "Success"}
            self._require("x-aws-ec2-metadata-token", "imds-token", json.dumps(found).encode())
        elif path == "/container":
            found = self.source.credentials()
            self._require("Authorization", WEB_TOKEN, json.dumps(found).encode())
        elif path == "/federation/credentials":
            self._require("x-amz-sso_bearer_token", "sso-token", self._sso())
        else:
            self._answer(b"{}", 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = parse_qs(body)["Action"][0]
        self.source.asked.append(action)
        found = self.source.credentials()
        fields = "".join(
            f"<{name}>{found[name]}</{name}>"
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        )
        user = f"<Arn>{ROLE}/s</Arn><AssumedRoleId>R:s</AssumedRoleId>"
        result = f"<Credentials>{fields}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        name = f"{action}Response"
        whole = f"<{name} xmlns='{_STS}'><{action}Result>{result}</{action}Result></{name}>"
        self._answer(whole.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _sso(self) -> bytes:
        found = self.source.credentials()
        ends = datetime.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        role = {
            "accessKeyId": found["AccessKeyId"],
            "secretAccessKey": found["SecretAccessKey"],
            "sessionToken": found["SessionToken"],
            "expiration": int(ends.timestamp() * 1000),
        }
        return json.dumps({"roleCredentials": role}).encode()

    def _require(self, header: str, value: str, body: bytes) -> None:
        if self.headers[header] == value:
            self._answer(body)
        else:
            self._answer(b"{}", 401)

    def _answer(self, body: bytes, status: int | None = None) -> None:
        self.over.wait(self.source.delay)
        self.send_response(status or self.source.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def source() -> Iterator[Source]:
    """A server of our own."""
    over = Event()
    handler = type("Handler", (_Handler,), {"over": over})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made = Source("http://{}:{}".format(*server.server_address))
        handler.source = made  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield made
        finally:
            over.set()
            server.shutdown()


Environment = Mapping[str, str]


def metadata_service(source: Source, _home: Path) -> Environment:
    """The role of an instance, by IMDSv2."""
    return {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": source.url}


def container(source: Source, home: Path) -> Environment:
    """EKS Pod Identity: the container's endpoint, with a token in a file."""
    (home / "token").write_text(WEB_TOKEN)
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{source.url}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(home / "token"),
    }


def web_identity(source: Source, home: Path) -> Environment:
    """EKS, IRSA: a role for the token of the pod's service account. No Region is set."""
    (home / "token").write_text(WEB_TOKEN)
    return {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "token"),
        "AWS_ENDPOINT_URL_STS": source.url,
    }


def assumed_role(source: Source, home: Path) -> Environment:
    """A profile whose role is assumed with the keys of another profile."""
    (home / "config").write_text(
        f"[profile app]\nrole_arn = {ROLE}\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = secret\n"
    )
    return {"AWS_PROFILE": "app", "AWS_ENDPOINT_URL_STS": source.url}


def sso(source: Source, home: Path) -> Environment:
    """A profile of SSO, whose session's token is in the cache of ``aws sso login``."""
    (home / "config").write_text(
        "[profile app]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = app\n"
        f"[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = {START_URL}\n"
    )
    cache = home / SSO_CACHE
    cache.mkdir(exist_ok=True)
    ends = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {"accessToken": "sso-token", "expiresAt": ends, "startUrl": START_URL}
    name = hashlib.sha1(b"corp").hexdigest()  # noqa: S324 - the name of the file, as botocore has it
    (cache / f"{name}.json").write_text(json.dumps(token))
    return {"AWS_PROFILE": "app", "AWS_ENDPOINT_URL_SSO": source.url}


def process(source: Source, home: Path) -> Environment:
    """A profile whose command takes as long as the source says, and prints credentials."""
    printed = json.dumps({"Version": 1, **source.credentials()})
    script = home / "login"
    script.write_text(f"#!/bin/sh\nsleep {source.delay}\necho '{printed}'\n")
    script.chmod(0o700)
    (home / "config").write_text(f"[profile app]\ncredential_process = {script}\n")
    return {"AWS_PROFILE": "app"}


SOURCES: Mapping[str, Callable[[Source, Path], Environment]] = {
    "instance": metadata_service,
    "container": container,
    "web identity": web_identity,
    "assumed role": assumed_role,
    "sso": sso,
    "process": process,
}
"""Every source that is not just there; each sets up its place and gives its variables."""
