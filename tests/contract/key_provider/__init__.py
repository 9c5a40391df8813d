"""What every key provider promises, whatever its vendor."""
