"""The vending machine."""
