"""What tests of the gateway need: stand-ins for its neighbours, and stored configs and tokens."""
