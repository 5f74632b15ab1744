"""Thermometers of fridges and rooms."""
