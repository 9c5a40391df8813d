"""The routes of the agent gateway."""
