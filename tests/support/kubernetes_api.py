"""As much of a Kubernetes API server as Vault asks: whether a service account's token is good."""

import base64
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.certificates import Certificate

NAMESPACE = "strongroom"
ACCOUNT = "server"

_AUDIENCE = "https://kubernetes.default.svc"


class KubernetesApi:
    """Issues tokens of the service account ``strongroom/server``, and reviews them.

    Attributes:
        address: Its URL.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._good: set[str] = set()

    def issue(self) -> str:
        """A new token, as a pod finds it in its file."""
        now = int(time.time())
        claims = {
            "iss": _AUDIENCE,
            "aud": [_AUDIENCE],
            "iat": now,
            "exp": now + 3600,
            "jti": str(len(self._good)),
            "sub": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}",
            "kubernetes.io": {
                "namespace": NAMESPACE,
                "serviceaccount": {"name": ACCOUNT, "uid": "uid-1"},
            },
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        token = f"{signed}.{_base64url(signature)}"
        self._good.add(token)
        return token

    def withdraw(self, token: str) -> None:
        """Let a token be good no more, as when its pod is deleted."""
        self._good.discard(token)

    def review(self, token: str) -> dict[str, Any]:
        """The status of the TokenReview of a token."""
        if token not in self._good:
            return {"authenticated": False, "error": "invalid bearer token"}
        user = {"username": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", "uid": "uid-1"}
        return {"authenticated": True, "user": user, "audiences": [_AUDIENCE]}


@contextmanager
def kubernetes_api(certificate: Certificate) -> Iterator[KubernetesApi]:
    """Serve on a free loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.file, certificate.key_file)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    api = _Handler.api = KubernetesApi(f"https://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    api: KubernetesApi

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        review = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
        answer = json.dumps(review | {"status": self.api.review(body["spec"]["token"])}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the base class's name
        """Keep quiet."""


def _part(fields: dict[str, Any]) -> str:
    return _base64url(json.dumps(fields).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
