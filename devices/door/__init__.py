"""The shop's entrance door."""
