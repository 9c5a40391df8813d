"""Run a command with the values replaced in what it prints."""
