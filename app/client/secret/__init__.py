"""``strongroom secret``: the secrets of an account, through the API."""
