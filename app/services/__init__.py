"""What the product does, in domain words. Knows neither HTTP nor SQL nor a vendor."""
