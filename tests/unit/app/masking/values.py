"""Values that are hard to find once a program has quoted them."""

import json

KEY = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDQf6bG5yLm4l8v
Jx3nVt+Qm0KkE2yYk9H5b/8sU0cVrW7cT1a9pXqYzLkD4uQe2iJZ7mBv3oRr6wXc
q8NfGhT5sPj0aUyK1xLdVb
-----END PRIVATE KEY-----
"""

VALUES = {
    "password": "x9$kL2#m'Q\"7\\n%41",
    "words": "correct horse battery & staple",
    "letters": "pässwörd-€uro-🗝-42",
    "url": "postgres://app:p%40ss'w0rd@db.internal/x?y=<1>&z=$2",
    "base64": "9vL+3cN/q8Zt0RkY7wXb5dQmE1uHsJf2aGoPiTlV4Cc=",
    "key": KEY,
    "account": json.dumps({"type": "account", "private_key": KEY, "id": "a1"}),
    "table": "one\n  two\tthree\nfour: 'five'\n",
}

NO_VALUE = "-"
"""In its place a program prints what it prints around every value."""
