"""Locks that note each pulse in a file which no kill can take back."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.device import Device, Order, Outcome
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.messages import Code

NODES = ("box-01", "box-02", "box-03")
_OPEN_S = 0.15


class Locks(Device):
    """A station of locks whose doors shut by themselves; every pulse is a line in a file."""

    kind: ClassVar[str] = "locker"

    def __init__(self, log: Path) -> None:
        self._log = log
        self._told: dict[str, bool] = {}

    def describe(self) -> dict[str, NodeDescription]:
        door = PropertyDescription(datatype="enum", format="open,closed,unknown")
        return {node: NodeDescription(name=node, type="compartment", properties={"door": door}) for node in NODES}

    def start(self, agent: Agent) -> None:
        self._agent = agent
        self._look()
        agent.every(0.05, self._look)

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        return None if node in NODES and op == "open" and not args else Code.NOT_FOUND

    def perform(self, order: Order) -> Outcome:
        with order.pulse():
            with self._log.open("a") as log:
                log.write(f"{order.id} {order.node} {time.monotonic()}\n")
            time.sleep(0.01)
        self._agent.event(order.node, "opened", cause=order.id)
        return Outcome.done()

    def _look(self) -> None:
        """Read the contacts: a door is open for a moment after its pulse."""
        last = {pulse.node: pulse.at for pulse in pulses(self._log)}
        for node in NODES:
            is_open = time.monotonic() - last.get(node, 0.0) < _OPEN_S
            if self._told.get(node) and not is_open:
                self._agent.event(node, "closed")
            self._told[node] = is_open
            self._agent.set(node, "door", "open" if is_open else "closed")


@dataclass(frozen=True)
class Pulse:
    """A lock was fired."""

    command: str
    node: str
    at: float


def pulses(log: Path) -> list[Pulse]:
    """Return what a station's locks did."""
    if not log.exists():
        return []
    lines = [line.split() for line in log.read_text().splitlines()]
    return [Pulse(line[0], line[1], float(line[2])) for line in lines]
