"""The gateway's process: it carries requests that the API has admitted, with their credentials."""
