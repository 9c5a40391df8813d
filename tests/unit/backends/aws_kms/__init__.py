"""What only ``aws-kms`` does."""
