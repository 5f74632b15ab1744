"""Binds a vending machine to the protocol: one turn per command, and the drop sensor says what became of it."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import ClassVar

from pydantic import JsonValue, ValidationError

from devices.agent.agent import Agent
from devices.agent.clock import boot_id, boot_ms
from devices.agent.device import Device, NoAnswerError, Order, Outcome, StaleError
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.kinds import PlanArguments
from devices.protocol.limits import VEND_RESULT_MS
from devices.protocol.messages import Code
from devices.vending.cooling import ColdChain, Cutoff
from devices.vending.driver import Drop, NotTurnedError, VendingMachine
from devices.vending.shelf import Shelf, Turn

UNIT = "unit"
STATES = "ok,empty,jam,warm,doubt"
LARGEST_AUDIT_BYTES = 100_000
_AUDIT_PART_BYTES = 2_400
"""As base64 and with the envelope this stays below the 4 kB of a message."""
_SPOILED = "spoiled"
_COLD = "cold"
_NOTE_COLD_EVERY_MS = 60_000
"""A memory card bears few writes; what is lost by it counts as warm."""
_LOOK_EVERY_S = 5.0
_REFUSALS = {"doubt": Code.UNRESOLVED, "jam": Code.JAM, "empty": Code.EMPTY, "warm": Code.WARM}


class VendingDevice(Device):
    """Takes `vend {slot, order}` and `plan {revision, slots}` on the node `unit`, one at a time as the machine does.

    The pieces in each slot are counted here, durably: a machine knows its motors, not its goods. A turn is on disk
    before the motor moves. One whose end is unknown is settled by the machine's drop sensor, if need be after a
    restart; it is never turned again, and its slot waits.
    """

    kind: ClassVar[str] = "vending"
    limit_s: ClassVar[float] = VEND_RESULT_MS / 1000
    map_free: ClassVar[frozenset[str]] = frozenset({"plan"})

    def __init__(
        self, machine: VendingMachine, *, cold_chain: ColdChain | None = None, is_chosen_there: bool = False
    ) -> None:
        """Bind a machine; with `is_chosen_there` nothing turns before the customer has pressed the number there."""
        self._machine, self._cold_chain = machine, cold_chain
        self._choice = "machine" if is_chosen_there else "hub"
        self._chilled = {slot.node for slot in machine.slots() if slot.is_chilled}

    def describe(self) -> dict[str, NodeDescription]:
        """Return one node per slot and one for the whole machine."""
        unit = NodeDescription(
            name=UNIT,
            type="machine",
            properties={
                "temperature": PropertyDescription(datatype="integer", unit="m°C"),
                "door": PropertyDescription(datatype="enum", format="open,closed"),
                "plan": PropertyDescription(datatype="integer"),
                "choice": PropertyDescription(datatype="enum", format="hub,machine"),
            },
        )
        return {UNIT: unit} | {
            slot.node: NodeDescription(
                name=slot.node,
                type="slot",
                properties={
                    "stock": PropertyDescription(datatype="integer", format=f"0:{slot.capacity}"),
                    "state": PropertyDescription(datatype="enum", format=STATES),
                },
            )
            for slot in self._machine.slots()
        }

    def start(self, agent: Agent) -> None:
        """Recall what was written, begin to listen to the machine, and ask it about turns that were interrupted."""
        self._agent = agent
        chilled = self._chilled if self._cold_chain else ()
        note = agent.note(_SPOILED)
        spoiled = [str(slot) for slot in note] if isinstance(note, list) else []
        self._cutoff = Cutoff(self._cold_chain or ColdChain(), chilled, good_until=self._last_good(), spoiled=spoiled)
        self._cold_noted_ms: int | None = None
        self._shelf = Shelf(agent, self._machine.slots(), self._is_warm)
        self._shelf.tell_all()
        agent.set(UNIT, "choice", self._choice)
        self._use_plan()
        self._machine.watch(self, [turn.id for turn in self._shelf.in_doubt()])
        self._look_by_hand()
        agent.every(_LOOK_EVERY_S, self._look_by_hand)
        agent.every(_LOOK_EVERY_S, self._shelf.tell_all)

    def stop(self) -> None:
        """Free the machine's port."""
        self._machine.close()

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Refuse what the machine cannot do now, before any motor turns."""
        if node != UNIT or op not in ("vend", "plan"):
            return Code.NOT_FOUND
        if op == "plan":
            return self._refuse_plan(args)
        slot, order = args.get("slot"), args.get("order")
        if set(args) != {"slot", "order"} or not isinstance(slot, str) or not isinstance(order, str):
            return Code.BAD_ARGUMENTS
        return _REFUSALS.get(self._shelf.state(slot)) if self._shelf.has(slot) else Code.NOT_FOUND

    def perform(self, order: Order) -> Outcome:
        """Turn the motor once; the drop sensor decides (money-and-machines.md 3.9: captured only at success)."""
        if order.op == "plan":
            return self._take_plan(order)
        turn = Turn(order.id, str(order.args["slot"]), str(order.args["order"]))
        self._shelf.begin(turn)
        try:
            return self._turn(turn, order)
        finally:
            self._shelf.leave(turn.id)

    def _refuse_plan(self, args: Mapping[str, JsonValue]) -> Code | None:
        try:
            slots = PlanArguments.model_validate(args).slots
        except ValidationError:
            return Code.BAD_ARGUMENTS
        return None if all(self._shelf.has(slot) for slot in slots) else Code.NOT_FOUND

    def _take_plan(self, order: Order) -> Outcome:
        """Take over the planogram: on disk at once and as a whole, commands on the old one are refused from here on."""
        plan = PlanArguments.model_validate(order.args)
        order.begin()
        self._goods_are_fresh(self._shelf.plan(plan.revision, plan.slots))
        self._use_plan()
        return Outcome.done(revision=plan.revision)

    def _use_plan(self) -> None:
        if self._shelf.revision:
            self._machine.plan(self._shelf.planned())
            self._agent.change_map(self._shelf.revision)
        self._agent.set(UNIT, "plan", self._shelf.revision)

    def _goods_are_fresh(self, slots: Iterable[str]) -> None:
        for slot in slots:
            self._cutoff.replace_goods(slot, boot_ms())
        self._keep_spoiled()
        self._keep_cold()

    def _keep_spoiled(self) -> None:
        self._agent.write_note(_SPOILED, [*sorted(self._cutoff.spoiled)] or None)

    def _last_good(self) -> dict[str, int]:
        """Return since when the goods of each slot may have been warm, if this boot of the computer can prove it."""
        note, now_ms = self._agent.note(_COLD), boot_ms()
        if not isinstance(note, dict) or not boot_id() or note.get("boot") != boot_id():
            return {}
        slots = note.get("slots")
        known = slots if isinstance(slots, dict) else {}
        return {slot: good_ms for slot, good_ms in known.items() if isinstance(good_ms, int) and good_ms <= now_ms}

    def _keep_cold(self) -> None:
        self._cold_noted_ms = boot_ms()
        self._agent.write_note(_COLD, {"boot": boot_id(), "slots": {**self._cutoff.good_until}})

    def _is_note_old(self) -> bool:
        return self._cold_noted_ms is None or boot_ms() - self._cold_noted_ms >= _NOTE_COLD_EVERY_MS

    def _turn(self, turn: Turn, order: Order) -> Outcome:
        code = ""
        try:
            order.begin()
            drop = self._machine.vend(turn.slot, turn.id)
        except StaleError:
            self._settle(turn.id, Drop.NOT_TURNED, running=True)
            raise
        except NotTurnedError as error:
            drop, code = Drop.NOT_TURNED, error.code
        except NoAnswerError:
            found = self._machine.drop_of(turn.id)
            if found is None:
                raise
            drop = found
        self._settle(turn.id, drop, running=True)
        if drop is Drop.VENDED:
            return Outcome.done(slot=turn.slot, order=turn.order)
        return Outcome.failed(code or drop, slot=turn.slot, order=turn.order)

    # What the machine tells

    def settled(self, turn: str, drop: Drop) -> None:
        """Take the machine's late word about a turn that was given up."""
        self._settle(turn, drop)

    def refilled(self, slot: str, stock: int) -> None:
        """Take the new count and end a jam and doubts; tells the count of drops since ever as an audit.

        That the pieces were counted does not say that they are fresh: spoiled goods stay unsold.
        """
        if not self._shelf.fits(slot, stock):
            return
        expected = self._shelf.stock(slot)
        self._agent.event(slot, "refilled", stock=stock, expected=expected)
        self._agent.event(slot, "audit", vended=self._shelf.vended(slot))
        self._shelf.forget_doubts(slot)
        self._shelf.keep(slot, stock=stock, is_jammed=False)

    def door(self, *, is_open: bool) -> None:
        """Publish the machine's door."""
        self._agent.set(UNIT, "door", "open" if is_open else "closed")

    def temperature(self, milli: int) -> None:
        """Publish the temperature inside, and stop the sale of chilled goods that got too warm."""
        before = set(self._cutoff.spoiled)
        self._cutoff.read(milli, boot_ms())
        if self._cutoff.spoiled != before:
            self._keep_spoiled()
        if self._chilled and self._cutoff.is_cold(milli) and self._is_note_old():
            self._keep_cold()
        self._agent.set(UNIT, "temperature", round(milli, -2))
        self._shelf.tell_all()

    def audited(self, content: bytes) -> None:
        """Send an EVA-DTS file to the hub, in parts that fit into messages; they are on disk when this returns."""
        if not 0 < len(content) <= LARGEST_AUDIT_BYTES:
            self._agent.alert("audit", f"an audit file of {len(content)} bytes is not sent")
            return
        name = hashlib.sha256(content).hexdigest()[:16]
        parts = range(0, len(content), _AUDIT_PART_BYTES)
        for number, begin in enumerate(parts, start=1):
            text = base64.b64encode(content[begin : begin + _AUDIT_PART_BYTES]).decode()
            self._agent.event(UNIT, "audit", file=name, part=number, parts=len(parts), content=text)
        self._agent.note(_SPOILED)  # any question: its answer comes after the events have been written

    # Turns

    def _settle(self, turn_id: str, drop: Drop, *, running: bool = False) -> None:
        """Book what became of a turn, once; the event goes out before the turn is forgotten."""
        turn = self._shelf.end(turn_id)
        if turn is None:
            return
        stock = self._shelf.stock(turn.slot)
        if drop is Drop.VENDED:
            stock = max(0, stock - 1)
            self._agent.event(turn.slot, "vended", cause=turn.id, order=turn.order, stock=stock)
            self._shelf.keep(turn.slot, stock=stock, vended=1)
        elif drop is Drop.JAM:
            self._agent.event(turn.slot, "jam", cause=turn.id)
            self._shelf.keep(turn.slot, stock=stock, is_jammed=True)
        else:
            if not running:  # else the result itself says so
                self._agent.event(turn.slot, "jam", cause=turn.id, reason=drop.value)
            self._shelf.keep(turn.slot, stock=0 if drop is Drop.EMPTY else stock)

    def _look_by_hand(self) -> None:
        if self._shelf.in_doubt():
            self._agent.host.run_by_hand(self._look)

    def _look(self) -> None:
        """Ask the machine about every turn whose end is unknown."""
        for turn in self._shelf.in_doubt():
            drop = self._machine.drop_of(turn.id)
            if drop is not None:
                self._settle(turn.id, drop)

    def _is_warm(self, slot: str) -> bool:
        return self._cutoff.is_warm(slot, boot_ms())
