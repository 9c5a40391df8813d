"""The HTTP API on top of the services: one blueprint a resource, one table of errors."""
