"""Metrics of the gateway's process; imported only where somebody reads them."""
