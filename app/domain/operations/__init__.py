"""Values of an operator's work: findings, backups, usage, workers."""
