"""Everything that runs beside a machine, on a Raspberry Pi without the hub."""
