"""The slip printer of a kiosk."""
