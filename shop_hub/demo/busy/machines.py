"""What happens at the cash machine; its page must follow within two seconds."""

from typing import Any

from shop_hub.demo.busy.world import World

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
)


def change_cash_machine(world: World) -> str:
    """Something happens to the cash machine, or what has happened is put right."""
    seen = world.machine(MACHINE, "look")
    is_well = (
        seen["device"] == "online"
        and seen["vendor_mode"] != "active"
        and not seen["silent"]
        and set(seen["units"].values()) == {"ok"}
    )
    if is_well:
        what, verb, arguments = world.random.choice(EVENTS)
        world.machine(MACHINE, verb, **arguments)
        return f"Cash machine: {what}"
    for verb, arguments in REPAIRS:
        world.machine(MACHINE, verb, **arguments)
    return "Cash machine: all is well again"
