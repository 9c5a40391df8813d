"""The server: HTTP and terminal on top of services, domain and repository."""
