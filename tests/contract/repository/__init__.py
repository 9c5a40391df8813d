"""What every database promises, whatever it is."""
