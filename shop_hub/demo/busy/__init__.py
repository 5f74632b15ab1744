"""Simulated people who use the demo village's pages as real ones do, so that every page lives (`demo --busy`)."""
