"""The card terminal."""
