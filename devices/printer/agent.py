"""Binds a slip printer to the protocol: `print {document}`, once."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue, ValidationError

from devices.agent.agent import Agent
from devices.agent.device import Device, Order, Outcome
from devices.printer.driver import PrinterState, Slip, SlipPrinter
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.messages import Code

NODE = "printer"
_LOOK_EVERY_S = 5.0


class PrinterDevice(Device):
    """One printer, bound to the kiosk named in its configuration."""

    kind: ClassVar[str] = "printer"
    limit_s: ClassVar[float] = 30.0

    def __init__(self, printer: SlipPrinter) -> None:
        self._printer = printer
        self._looking = False

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node."""
        words = ",".join(PrinterState)
        state = PropertyDescription(datatype="enum", format=words)
        return {NODE: NodeDescription(name=NODE, type="printer", properties={"state": state})}

    def start(self, agent: Agent) -> None:
        """Look at the paper now and then."""
        self._agent = agent
        agent.host.post(self._ask)
        agent.every(_LOOK_EVERY_S, self._ask)

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Only `print` with one well-formed document."""
        if node != NODE or op != "print":
            return Code.NOT_FOUND
        return None if set(args) == {"document"} and _slip(args["document"]) is not None else Code.BAD_ARGUMENTS

    def perform(self, order: Order) -> Outcome:
        """Print one slip."""
        slip = _slip(order.args["document"])
        if slip is None:
            return Outcome.failed(Code.BAD_ARGUMENTS)
        order.begin()
        state = self._printer.print(slip)
        self._agent.set(NODE, "state", state.value)
        return Outcome.done() if state is PrinterState.OK else Outcome.failed(state.value.replace("-", "_"))

    def _ask(self) -> None:
        if not self._looking:
            self._looking = True
            self._agent.host.run_by_hand(self._look)

    def _look(self) -> None:
        try:
            self._agent.set(NODE, "state", self._printer.state().value)
        finally:
            self._looking = False


def _slip(document: JsonValue) -> Slip | None:
    try:
        return Slip.model_validate(document)
    except ValidationError:
        return None
