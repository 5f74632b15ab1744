"""The cash machine: only watched, never commanded."""
