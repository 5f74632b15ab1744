"""What features do when a device reports something. Their functions run in the transaction that records the report."""

from collections import defaultdict
from collections.abc import Callable

from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.fleet.models import Device, DeviceCommand, DeviceEvent, DeviceKind

OnResult = Callable[[Session, DeviceCommand], None]
OnEvent = Callable[[Session, DeviceEvent, Device], None]
OnProperty = Callable[[Session, Device, str, str, JsonValue], None]
OnLink = Callable[[Session, Device], None]
OnSuspect = Callable[[Session, Device, str], None]
OnScan = Callable[[Session, Device, str], None]


class Dispatcher:
    """The features' functions by what they wait for.

    A function must be quick and use only its session. If it raises, its message becomes a dead letter and the node
    suspect; nothing of what it wrote is kept.
    """

    def __init__(self) -> None:
        self._results: dict[str, list[OnResult]] = defaultdict(list)
        self._events: dict[tuple[str, str], list[OnEvent]] = defaultdict(list)
        self._properties: dict[str, list[OnProperty]] = defaultdict(list)
        self._links: dict[str, list[OnLink]] = defaultdict(list)
        self._suspects: dict[str, list[OnSuspect]] = defaultdict(list)
        self._scans: list[OnScan] = []

    def on_result(self, op: str, function: OnResult) -> None:
        """Call `function(session, command)` when a command of this operation got its final outcome.

        All outcomes: done, partial, failed, rejected, expired, unknown. An `unknown` one may be settled later by a
        definite answer; then the function is called again.
        """
        self._results[op].append(function)

    def on_event(self, kind: DeviceKind, type_: str, function: OnEvent) -> None:
        """Call `function(session, event, device)` for each new event of this type, in the device's order."""
        self._events[kind, type_].append(function)

    def on_property(self, kind: DeviceKind, function: OnProperty) -> None:
        """Call `function(session, device, node, property, value)` for each newer state of a device of this kind."""
        self._properties[kind].append(function)

    def on_link(self, kind: DeviceKind, function: OnLink) -> None:
        """Call `function(session, device)` when `device.link` has changed (unless READY, its states are unknown)."""
        self._links[kind].append(function)

    def on_suspect(self, kind: DeviceKind, function: OnSuspect) -> None:
        """Call `function(session, device, node)` when a message about a node was lost or could not be used."""
        self._suspects[kind].append(function)

    def wants_event(self, kind: DeviceKind, type_: str) -> bool:
        """Tell whether somebody waits for this type of event."""
        return (kind, type_) in self._events

    def wants_properties(self, kind: DeviceKind) -> bool:
        """Tell whether somebody waits for states of this kind of device."""
        return kind in self._properties

    def wants_link(self, kind: DeviceKind) -> bool:
        """Tell whether somebody waits for the links of this kind of device."""
        return kind in self._links

    def on_scan(self, function: OnScan) -> None:
        """Call `function(session, device, text)` for each fresh scan of a scanner that stands at no kiosk."""
        self._scans.append(function)

    def result(self, session: Session, command: DeviceCommand) -> None:
        """Hand on a final outcome."""
        for function in self._results.get(command.op, ()):
            function(session, command)

    def event(self, session: Session, event: DeviceEvent, device: Device) -> None:
        """Hand on an event."""
        for function in self._events.get((device.kind, event.type), ()):
            function(session, event, device)

    def property(self, session: Session, device: Device, node: str, name: str, value: JsonValue) -> None:
        """Hand on a state."""
        for function in self._properties.get(device.kind, ()):
            function(session, device, node, name, value)

    def link(self, session: Session, device: Device) -> None:
        """Hand on a changed link."""
        for function in self._links.get(device.kind, ()):
            function(session, device)

    def suspect(self, session: Session, device: Device, node: str) -> None:
        """Hand on that a node may be in another state than believed."""
        for function in self._suspects.get(device.kind, ()):
            function(session, device, node)

    def scan(self, session: Session, device: Device, text: str) -> None:
        """Hand on what was scanned; it is kept nowhere."""
        for function in self._scans:
            function(session, device, text)
