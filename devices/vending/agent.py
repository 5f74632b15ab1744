"""Binds a vending machine to the protocol: one piece per command, counted by the drop sensor."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.device import Device, Order, Outcome
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.limits import VEND_RESULT_MS
from devices.protocol.messages import Code
from devices.vending.driver import Drop, Slot, VendingMachine

UNIT = "unit"
_STOCK = "stock"
_JAMMED = "jammed"
_VENDED = "vended"


class VendingDevice(Device):
    """Takes `vend {slot, order}` on the node `unit`: the machine does one thing at a time.

    The pieces in each slot are counted here, durably: a machine knows its motors, not its goods.
    """

    kind: ClassVar[str] = "vending"
    limit_s: ClassVar[float] = VEND_RESULT_MS / 1000

    def __init__(self, machine: VendingMachine) -> None:
        self._machine = machine
        self._slots: dict[str, Slot] = {slot.node: slot for slot in machine.slots()}
        self._stock: dict[str, int] = {}
        self._vended: dict[str, int] = {}
        self._jammed: set[str] = set()

    def describe(self) -> dict[str, NodeDescription]:
        """Return one node per slot and one for the whole machine."""
        unit = NodeDescription(
            name=UNIT,
            type="machine",
            properties={
                "temperature": PropertyDescription(datatype="integer", unit="m°C"),
                "door": PropertyDescription(datatype="enum", format="open,closed"),
            },
        )
        return {UNIT: unit} | {
            slot.node: NodeDescription(
                name=slot.node,
                type="slot",
                properties={
                    "stock": PropertyDescription(datatype="integer", format=f"0:{slot.capacity}"),
                    "state": PropertyDescription(datatype="enum", format="ok,empty,jam"),
                },
            )
            for slot in self._slots.values()
        }

    def start(self, agent: Agent) -> None:
        """Recall the counts and begin to listen to the machine."""
        self._agent = agent
        first = {slot.node: slot.first_stock for slot in self._slots.values()}
        self._stock = first | _counts(agent.note(_STOCK))
        self._vended = dict.fromkeys(self._slots, 0) | _counts(agent.note(_VENDED))
        self._jammed = set(_counts(agent.note(_JAMMED)))
        for node in self._slots:
            self._tell(node)
        self._machine.watch(self)

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Refuse what the machine cannot do now, before any motor turns."""
        if node != UNIT or op != "vend":
            return Code.NOT_FOUND
        slot, order = args.get("slot"), args.get("order")
        if set(args) != {"slot", "order"} or not isinstance(slot, str) or not isinstance(order, str):
            return Code.BAD_ARGUMENTS
        if slot not in self._slots:
            return Code.NOT_FOUND
        if slot in self._jammed:
            return Code.JAM
        return Code.EMPTY if self._stock[slot] < 1 else None

    def perform(self, order: Order) -> Outcome:
        """Turn the motor once; the drop sensor decides (money-and-machines.md 3.9: captured only at success)."""
        slot, reference = str(order.args["slot"]), order.args["order"]
        order.begin()
        match self._machine.vend(slot):
            case Drop.VENDED:
                self._count(slot)
                self._agent.event(slot, "vended", cause=order.id, order=reference, stock=self._stock[slot])
                return Outcome.done(slot=slot, order=reference)
            case Drop.EMPTY:
                self._remember(_STOCK, self._stock, slot, 0)
                self._tell(slot)
                return Outcome.failed(Code.EMPTY, slot=slot, order=reference)
            case Drop.JAM:
                self._jam(slot, order.id)
                return Outcome.failed(Code.JAM, slot=slot, order=reference)

    # What the machine tells

    def refilled(self, slot: str, stock: int) -> None:
        """Take the new count and clear a jam; tells the counter since the last refill as an audit."""
        if slot not in self._slots or not 0 <= stock <= self._slots[slot].capacity:
            return
        expected = self._stock[slot]
        self._jammed.discard(slot)
        self._agent.write_note(_JAMMED, dict.fromkeys(sorted(self._jammed), 1))
        self._remember(_STOCK, self._stock, slot, stock)
        self._tell(slot)
        self._agent.event(slot, "refilled", stock=stock, expected=expected)
        self._agent.event(slot, "audit", vended=self._vended[slot])

    def door(self, *, is_open: bool) -> None:
        """Publish the machine's door."""
        self._agent.set(UNIT, "door", "open" if is_open else "closed")

    def temperature(self, milli: int) -> None:
        """Publish the temperature inside."""
        self._agent.set(UNIT, "temperature", round(milli, -2))

    def _count(self, slot: str) -> None:
        self._remember(_VENDED, self._vended, slot, self._vended[slot] + 1)
        self._remember(_STOCK, self._stock, slot, self._stock[slot] - 1)
        self._tell(slot)

    def _jam(self, slot: str, cause: str) -> None:
        self._jammed.add(slot)
        self._agent.write_note(_JAMMED, dict.fromkeys(sorted(self._jammed), 1))
        self._tell(slot)
        self._agent.event(slot, "jam", cause=cause)

    def _remember(self, name: str, counts: dict[str, int], slot: str, value: int) -> None:
        counts[slot] = value
        self._agent.write_note(name, dict(counts))

    def _tell(self, slot: str) -> None:
        stock = self._stock[slot]
        state = "jam" if slot in self._jammed else "ok" if stock else "empty"
        self._agent.set(slot, "stock", stock)
        self._agent.set(slot, "state", state)


def _counts(note: JsonValue) -> dict[str, int]:
    return (
        {name: int(value) for name, value in note.items() if isinstance(value, int)} if isinstance(note, dict) else {}
    )
