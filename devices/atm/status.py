"""From a raw reading to the cash-machine model of money-and-machines.md section 4."""

from pydantic import JsonValue

from devices.atm.driver import AtmReading, CashUnit

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
    """Return the model without its times (`since`, `observed_at`)."""
    return {
        "service": service(reading),
        "device": reading.device,
        "cash": {"withdrawal": withdrawal(reading), "deposit": deposit(reading)},
        "reason": reading.reason,
        "source": source,
        "stale_after_s": stale_after_s,
        "units": [_unit(unit) for unit in reading.units],
    }


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


def _unit(unit: CashUnit) -> dict[str, JsonValue]:
    return {
        "id": unit.id,
        "currency": unit.currency,
        "denomination_bucket": unit.denomination_bucket,
        "replenishmentStatus": unit.replenishment,
        "status": unit.status,
    }
