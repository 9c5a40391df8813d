"""Programs that run far from the server, and share no code with it."""
