"""What a worker and an operator do to keep the deployment well."""
