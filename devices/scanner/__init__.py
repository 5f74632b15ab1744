"""A serial barcode scanner of a kiosk."""
