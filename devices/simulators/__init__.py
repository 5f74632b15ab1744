"""Twins of the machines: they keep the driver contracts, share no code with the drivers, and break on demand."""
