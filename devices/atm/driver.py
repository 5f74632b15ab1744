"""What a source of a cash machine's state must offer; words as in XFS4IoT."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

DeviceStatus = Literal[
    "online",
    "offline",
    "powerOff",
    "noDevice",
    "hardwareError",
    "userError",
    "deviceBusy",
    "fraudAttempt",
    "potentialFraud",
    "starting",
]
VendorMode = Literal["enterPending", "active", "exitPending", "inactive"]
UnitsStatus = Literal["ok", "attention", "stop", "unknown"]
Replenishment = Literal["ok", "full", "high", "low", "empty"]
StorageStatus = Literal["ok", "inoperative", "missing", "notConfigured", "manipulated"]


@dataclass(frozen=True, slots=True)
class CashUnit:
    """One cassette. The bucket names a range of notes, never how many there are."""

    id: str
    currency: str
    denomination_bucket: str
    replenishment: Replenishment
    status: StorageStatus = "ok"
    is_dispensable: bool = True


@dataclass(frozen=True, slots=True)
class AtmReading:
    """The raw state of a machine."""

    device: DeviceStatus
    vendor_mode: VendorMode = "inactive"
    is_exchanging: bool = False
    dispenser: UnitsStatus = "ok"
    acceptor: UnitsStatus | None = None
    """None where the machine takes no cash."""
    reason: str = ""
    units: Sequence[CashUnit] = ()


class AtmSource(Protocol):
    """Where the state comes from: XFS4IoT bridge, operator's API, manual entry, simulator."""

    name: str
    """`xfs4iot`, `operator-api`, `manual` or `simulator`."""

    def read(self) -> AtmReading:
        """Return the present state.

        Raises:
            NoAnswerError: the machine or the operator's service is silent.
        """

    def close(self) -> None:
        """Hang up, if there is something to hang up."""
