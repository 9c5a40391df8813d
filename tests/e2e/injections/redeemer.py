"""A process that redeems each token it is told, over one connection, and tells what it got.

It has a nonce of its own, which is good for an answer of its own that was lost, and for no other.

It reads a token a line, and answers with the status and, of a 200, the value of API_TOKEN.
"""

import http.client
import json
import secrets
import sys


def main(port: int) -> None:
    """Serve until standard input ends."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"redeem_nonce": secrets.token_urlsafe(32)})
    for line in sys.stdin:
        headers = {"Authorization": f"Bearer {line.strip()}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/injections/redeem", body, headers)
        response = connection.getresponse()
        document = json.loads(response.read())
        value = document.get("environment", {}).get("API_TOKEN", "-")
        sys.stdout.write(f"{response.status} {value}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
