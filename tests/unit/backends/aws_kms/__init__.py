"""Behaviour of ``aws-kms`` alone."""
