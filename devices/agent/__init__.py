"""What every device agent shares: journal, leases, command rules, outbox, and the contract of a device."""
