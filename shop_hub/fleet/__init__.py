"""Devices: their registry, what they reported, and commands that are done now or never."""
