"""``strongroom gateway-token``: the gateway tokens of an account, seen and revoked."""
