"""The HTTP API on top of the services: one blueprint for each resource, one table of errors."""
