"""Parcels: from the carrier's announcement to the hand of the recipient."""
