"""What the door sensors mean: openings, closings, bounces, doors left open, doors nobody asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from devices.locker.driver import CompartmentReading

CLOSED_FOR_MS = 300
"""A door bounces for up to 300 ms (parcels.md 3.6): it is closed only when it has been for so long."""

LEFT_OPEN_MS = 60_000
SAME_PULSE_MS = 1_000
"""A second door that opens this soon after a pulse was moved by the same pulse: two boards share one address."""

STEADY_MS = 2_000
"""A light barrier flickers while a door is shut; what it says for so long behind a closed door is no flicker."""

LATE_OPENING_MS = 10_000
"""A slow lock may open this long after its pulse and still be the command's doing."""


class Reporter(Protocol):
    """Where the meaning goes."""

    def set(self, node: str, name: str, value: JsonValue) -> None:
        """Publish a property if it changed."""

    def event(self, node: str, event_type: str, *, cause: str = "", **data: JsonValue) -> None:
        """Publish an event."""

    def alert(self, name: str, text: str) -> None:
        """Raise an alert, or clear it with an empty text."""


@dataclass(slots=True)
class Door:
    """One door as it is known so far."""

    state: str = "unknown"
    occupied: bool | None = None
    opened_ms: int = 0
    cause: str = ""
    closing_since_ms: int | None = None
    told_left_open: bool = False
    command: str = ""
    """The command whose pulse may open this door."""
    pulsed_ms: int = 0
    closed_ms: int = 0
    steady: bool | None = None
    """What the light barrier said once it was steady behind the closed door; None: not known yet."""
    changed_ms: int | None = None
    told_stuck: bool = False
    before_lost: str = ""
    """What was known before its board fell silent."""


class Doors:
    """Turns readings into properties and events; called by the polling thread only, except `expect` and `forget`."""

    def __init__(self, reporter: Reporter, on_double: Callable[[str, str], None]) -> None:
        self._reporter = reporter
        self._on_double = on_double
        self._doors: dict[str, Door] = {}
        self._last_pulse: tuple[str, int] = ("", 0)

    def get(self, node: str) -> Door:
        """Return what is known of a door."""
        return self._doors.setdefault(node, Door())

    def expect(self, node: str, command_id: str, now_ms: int) -> None:
        """Note that this door is about to be pulsed for a command."""
        door = self.get(node)
        door.command, door.pulsed_ms = command_id, now_ms
        self._last_pulse = (node, now_ms)

    def forget(self, node: str) -> None:
        """Take it that this door was not pulsed after all."""
        self.get(node).command = ""
        self._last_pulse = ("", 0)

    def read(self, node: str, reading: CompartmentReading, now_ms: int) -> None:
        """Take one reading."""
        door = self.get(node)
        if reading.temperature_milli is not None:
            # a tenth of a degree is all a compartment's sensor can tell; the rest is noise
            self._reporter.set(node, "temperature", round(reading.temperature_milli, -2))
        if reading.occupied is not None and reading.occupied != door.occupied:
            door.occupied, door.changed_ms = reading.occupied, now_ms
            self._reporter.set(node, "occupied", reading.occupied)
        if door.state == "unknown":
            self._first_sight(node, door, reading, now_ms)
        elif reading.door_open:
            self._sees_open(node, door, now_ms)
        else:
            self._sees_closed(node, door, now_ms)

    def jam(self, node: str, command_id: str) -> None:
        """Take it that a pulse did not open this door."""
        self._reporter.set(node, "lock", "jam")
        self._reporter.event(node, "jam", cause=command_id)
        self._reporter.alert(f"jam-{node}", f"{node} did not open although its lock was fired")

    def lose(self, node: str) -> None:
        """Take it that this door's board is silent."""
        door = self.get(node)
        door.before_lost = door.state if door.state != "unknown" else door.before_lost
        door.state, door.closing_since_ms = "unknown", None
        self._reporter.set(node, "door", "unknown")
        self._reporter.set(node, "lock", "unknown")

    def _first_sight(self, node: str, door: Door, reading: CompartmentReading, now_ms: int) -> None:
        """After a boot the state is told, but nobody saw a change: no event.

        A door that was closed before its board fell silent and is open now did open in between.
        """
        before, door.before_lost = door.before_lost, ""
        if before == "closed" and reading.door_open:
            self._opened(node, door, now_ms)
            return
        door.state = "open" if reading.door_open else "closed"
        door.opened_ms, door.told_left_open, door.cause = now_ms, False, ""
        self._shut(door, now_ms)
        self._tell(node, door)

    def _sees_open(self, node: str, door: Door, now_ms: int) -> None:
        door.closing_since_ms = None
        if door.state == "closed":
            self._opened(node, door, now_ms)
        elif not door.told_left_open and now_ms - door.opened_ms > LEFT_OPEN_MS:
            door.told_left_open = True
            self._reporter.event(node, "left-open", cause=door.cause)
            self._reporter.alert(f"left-open-{node}", f"{node} has been open for more than a minute")

    def _opened(self, node: str, door: Door, now_ms: int) -> None:
        asked = door.command and now_ms - door.pulsed_ms <= LATE_OPENING_MS
        door.state, door.opened_ms, door.told_left_open = "open", now_ms, False
        door.cause = door.command if asked else ""
        door.command = ""
        for trouble in ("jam", "sensor"):
            self._reporter.alert(f"{trouble}-{node}", "")
        self._tell(node, door)
        self._reporter.event(node, "opened" if asked else "forced", cause=door.cause)
        pulsed, at_ms = self._last_pulse
        if not asked and pulsed and pulsed != node and now_ms - at_ms <= SAME_PULSE_MS:
            self._on_double(pulsed, node)

    def _sees_closed(self, node: str, door: Door, now_ms: int) -> None:
        if door.state != "open":
            self._doubt_sensor(node, door, now_ms)
            return
        if door.closing_since_ms is None:
            door.closing_since_ms = now_ms
        if now_ms - door.closing_since_ms < CLOSED_FOR_MS:
            return
        door.state, door.closing_since_ms = "closed", None
        self._shut(door, now_ms)
        self._tell(node, door)
        self._reporter.alert(f"left-open-{node}", "")
        open_ms = now_ms - door.opened_ms
        self._reporter.event(node, "closed", cause=door.cause, occupied=door.occupied, open_ms=open_ms)

    def _doubt_sensor(self, node: str, door: Door, now_ms: int) -> None:
        """Goods do not come and go through a closed door: then its contact is stuck or bridged."""
        since = max(door.closed_ms, door.changed_ms or 0)
        if door.occupied is None or door.told_stuck or now_ms - since < STEADY_MS:
            return
        if door.steady is None:
            door.steady = door.occupied
        elif door.occupied != door.steady:
            door.told_stuck = True
            self._reporter.event(node, "sensor-stuck", occupied=door.occupied)
            self._reporter.alert(f"sensor-{node}", f"{node}: something went in or out while its door was said closed")

    def _shut(self, door: Door, now_ms: int) -> None:
        door.closed_ms, door.steady, door.told_stuck = now_ms, None, False

    def _tell(self, node: str, door: Door) -> None:
        self._reporter.set(node, "door", door.state)
        self._reporter.set(node, "lock", "unlocked" if door.state == "open" else "locked")
