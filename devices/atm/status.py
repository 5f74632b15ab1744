"""From a raw reading to the cash-machine model of money-and-machines.md section 4."""

import json
from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from devices.atm.driver import AtmReading, CashUnit

MOST_BYTES = 3600
"""Of the model as JSON: with its times and the envelope it stays below the 4 kB of a message."""
_BROKEN = frozenset({"fraudAttempt", "hardwareError", "offline", "powerOff", "noDevice"})


def service(reading: AtmReading) -> str:
    """Return inService, outOfService or supervisor, in the order the model asks for."""
    if reading.vendor_mode != "inactive" or reading.is_exchanging:
        return "supervisor"
    if reading.device in _BROKEN or reading.dispenser == "stop":
        return "outOfService"
    return "unknown" if reading.device == "starting" else "inService"


def withdrawal(reading: AtmReading) -> str:
    """Return ok, low, empty, inoperative or unknown for taking cash out."""
    units = [unit for unit in reading.units if unit.is_dispensable]
    usable = [unit for unit in units if unit.status == "ok" and unit.replenishment != "empty"]
    if reading.dispenser == "stop":
        return "inoperative"
    if reading.dispenser == "unknown" or (reading.dispenser == "attention" and not units):
        return "unknown"
    if units and not usable:
        return "empty" if any(unit.status == "ok" for unit in units) else "inoperative"
    return "low" if any(unit.replenishment in ("low", "empty") for unit in units) else "ok"


def deposit(reading: AtmReading) -> str:
    """Return ok, high, full, inoperative or unknown for paying cash in."""
    if reading.acceptor in (None, "unknown"):
        return "unknown"
    if reading.acceptor == "stop":
        return "inoperative"
    levels = {unit.replenishment for unit in reading.units if not unit.is_dispensable}
    return "full" if "full" in levels else "high" if "high" in levels else "ok"


def model(reading: AtmReading, *, source: str, stale_after_s: int) -> dict[str, JsonValue]:
    """Return the model without its times (`since`, `observed_at`); units that do not fit into a message are left out.

    What the machine can do is worked out from all of its units before.
    """
    found: dict[str, JsonValue] = {
        "service": service(reading),
        "device": reading.device,
        "cash": {"withdrawal": withdrawal(reading), "deposit": deposit(reading)},
        "reason": reading.reason,
        "source": source,
        "stale_after_s": stale_after_s,
    }
    return found | {"units": [*_fitting(map(_unit, reading.units), MOST_BYTES - _size(found))]}


def unknown(*, source: str, stale_after_s: int) -> dict[str, JsonValue]:
    """Return the model of a machine nobody can see."""
    return {
        "service": "unknown",
        "device": "offline",
        "cash": {"withdrawal": "unknown", "deposit": "unknown"},
        "reason": "no-answer",
        "source": source,
        "stale_after_s": stale_after_s,
        "units": [],
    }


def _fitting(units: Iterable[dict[str, JsonValue]], room: int) -> Iterator[JsonValue]:
    for unit in units:
        room -= _size(unit) + 1
        if room >= 0:
            yield unit


def _size(words: dict[str, JsonValue]) -> int:
    """Return the bytes of some JSON, with spaces that are not sent."""
    return len(json.dumps(words, ensure_ascii=False).encode())


def _unit(unit: CashUnit) -> dict[str, JsonValue]:
    return {
        "id": unit.id,
        "currency": unit.currency,
        "denomination_bucket": unit.denomination_bucket,
        "replenishmentStatus": unit.replenishment,
        "status": unit.status,
    }
