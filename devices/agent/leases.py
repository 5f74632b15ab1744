"""Leases: the random words by which a device recognises a command that was made just now."""

from devices.agent.clock import boot_ms
from devices.protocol.ids import new_lease
from devices.protocol.limits import LEASE_MAX_AGE_MS


class Leases:
    """The current and the previous lease with the moments they were made; kept in memory only.

    After a power cut nothing is valid, so no old command can move anything (devices.md section 1).
    """

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def renew(self) -> str:
        """Make a new lease, keep the previous one, forget older ones."""
        lease = new_lease()
        self._made = {**dict(list(self._made.items())[-1:]), lease: boot_ms()}
        return lease

    def is_fresh(self, lease: str) -> bool:
        """Tell whether the lease is the current or the previous one and at most 4 s old."""
        made = self._made.get(lease)
        return made is not None and boot_ms() - made <= LEASE_MAX_AGE_MS

    def made_ms(self, lease: str) -> int | None:
        """Return when the lease was made (boot clock), or None if it is not a valid one."""
        return self._made.get(lease)
