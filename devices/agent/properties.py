"""What a device tells of its present state: retained values, sent when they change and after every connection."""

import logging
from collections.abc import Callable, Container, Mapping

from pydantic import JsonValue

from devices.agent.clock import WallClock
from devices.agent.journal import Journal
from devices.protocol.description import NodeDescription
from devices.protocol.messages import PropertyValue

log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Node and name."""
Send = Callable[[Place, PropertyValue | None], object]


class Properties:
    """Owned by the desk. `send` publishes the value of a place, retained; None removes it from the broker."""

    def __init__(self, journal: Journal, clock: WallClock, send: Send) -> None:
        self._journal, self._clock, self._send = journal, clock, send
        self._seq = 0
        self.values: dict[Place, JsonValue] = {}
        self.unsent: set[Place] = set()
        """Those whose value fits into no message."""

    def set(self, place: Place, value: JsonValue, *, always: bool) -> None:
        """Send a value if it is another one, or in any case."""
        if always or place not in self.values or self.values[place] != value:
            self.values[place] = value
            self._tell(place, value)

    def tell_all(self, nodes: Mapping[str, NodeDescription]) -> None:
        """Send everything again, as unknown what was not read since the start: the broker still shows older words."""
        for node, described in nodes.items():
            for name, about in described.properties.items():
                if (node, name) not in self.values:
                    self._tell((node, name), "unknown" if "unknown" in about.format.split(",") else None)
        for place, value in self.values.items():
            self._tell(place, value)

    def keep(self, nodes: Container[str]) -> None:
        """Remove what belongs to other nodes."""
        for place in [place for place in self.values if place[0] not in nodes]:
            del self.values[place]
            self._send(place, None)

    def _tell(self, place: Place, value: JsonValue) -> None:
        """Send a value; one that is too large or no JSON is told as not known."""
        try:
            self._send(place, self._stamped(value))
            self.unsent.discard(place)
        except ValueError as error:
            log.warning("%s/%s: %s", *place, error)
            self._send(place, self._stamped(None))
            self.unsent.add(place)

    def _stamped(self, value: JsonValue) -> PropertyValue:
        self._seq += 1
        journal = self._journal
        return PropertyValue(
            epoch=journal.epoch, boot=journal.boot, seq=self._seq, value=value, at_ms=self._clock.now_ms()
        )
