"""The gateway measured: its latency and memory, beside other proxies, and beside the API."""
