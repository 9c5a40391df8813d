"""Commands that run beside a user's process."""
