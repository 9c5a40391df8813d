"""Proofs against the real server, started as ``make run`` starts it, over its real socket."""
