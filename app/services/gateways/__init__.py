"""The agent gateway: its configs, its tokens, its keys, and the admission of each request."""
