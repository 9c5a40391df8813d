"""The terminal: the commands of the operator and the client side of injections."""
