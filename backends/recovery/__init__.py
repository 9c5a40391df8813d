"""Recovery keys: escrow to a public key whose private half is offline."""
