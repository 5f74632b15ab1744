"""What happens at the cash machine; its page must follow within two seconds."""

from typing import Any

from shop_hub.demo.busy.world import NotNowError, World

MACHINE = "geldautomat"
EVENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("the notes run low", "level", {"unit": "cassette-1", "level": "low"}),
    ("a cassette is empty", "level", {"unit": "cassette-2", "level": "empty"}),
    ("a service visit begins", "maintenance", {"on": True}),
    ("it has a fault", "device", {"status": "hardwareError"}),
    ("its bank cannot reach it", "silent", {"on": True}),
)
REPAIRS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("level", {"unit": "cassette-1", "level": "ok"}),
    ("level", {"unit": "cassette-2", "level": "ok"}),
    ("maintenance", {"on": False}),
    ("device", {"status": "online"}),
    ("silent", {"on": False}),
    ("fault", {}),
)


def disturb_cash_machine(world: World) -> str:
    """Something happens to the cash machine."""
    if not _is_well(world):
        raise NotNowError("the cash machine has its trouble already")
    what, verb, arguments = world.random.choice(EVENTS)
    world.machine(MACHINE, verb, **arguments)
    return f"Cash machine: {what}"


def repair_cash_machine(world: World) -> str:
    """What has happened to the cash machine is put right."""
    if _is_well(world):
        raise NotNowError("the cash machine works")
    for verb, arguments in REPAIRS:
        world.machine(MACHINE, verb, **arguments)
    return "Cash machine: all is well again"


def _is_well(world: World) -> bool:
    service = world.machine(MACHINE, "look")
    seen = service["machine"]
    is_at_work = seen["device"] == "online" and seen["vendor_mode"] == "inactive" and not seen["silent"]
    return is_at_work and not service["fault"] and set(seen["units"].values()) == {"ok"}
