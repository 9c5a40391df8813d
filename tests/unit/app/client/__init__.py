"""The client side of injections, from outside: processes, terminals, files."""
