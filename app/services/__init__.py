"""The services of the product, in domain words. They know neither HTTP nor SQL nor a vendor."""
