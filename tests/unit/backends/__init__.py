"""Tests of keys and envelopes, each module alone."""
