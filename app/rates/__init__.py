"""Rate limits: requests of an API key or account, counted in memory or in a shared store."""
