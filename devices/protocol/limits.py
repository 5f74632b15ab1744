"""Sizes and times both sides of the contract rely on."""

MAX_PAYLOAD_BYTES = 4096
"""A message above this size is refused by sender and receiver."""

LEASE_INTERVAL_S = 2.0
"""A device that moves something makes a new lease this often."""

LEASE_MAX_AGE_MS = 4000
"""Older leases are refused by the device, and make the device stale for the hub."""

COMMAND_TTL_MS = 2000
"""Usual `ttl_ms` of a command that moves a door: the device must begin within this time."""

VEND_RESULT_MS = 60_000
"""A vending machine must have told the outcome of a started vend by then."""

ATM_STALE_MS = 60_000
"""A cash machine's state is unknown when nothing was heard for so long."""

SENSOR_STALE_INTERVALS = 3
"""A sensor is stale after so many of its own stated intervals."""

CLOCK_INTERVAL_S = 10.0
"""The hub tells the time this often, as a hint."""

PROTOCOL_VERSION = 1
"""Value of `v` in every message."""
