"""The routes of the agent gateway: configs and tokens for clients, admissions for gateways."""
