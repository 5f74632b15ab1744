"""What the services around a simulated cash machine share: faults on demand, and an end."""

import socketserver
from typing import ClassVar

from pydantic import JsonValue

from devices.simulators.atm import SimulatedAtm
from devices.simulators.world import ControlError, Verb


class AtmService:
    """A server that tells of one machine. `fault` says how it misbehaves from now on."""

    faults: ClassVar[tuple[str, ...]] = ("",)
    machine: SimulatedAtm
    fault: str
    _server: socketserver.TCPServer

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def verbs(self) -> dict[str, Verb]:
        """Return what can happen to the machine and to its service."""
        return {**self.machine.verbs(), "fault": self.break_service}

    def look(self) -> JsonValue:
        """Return the raw state."""
        return {"machine": self.machine.look(), "fault": self.fault}

    def break_service(self, kind: str = "") -> None:
        """Misbehave from now on; empty = behave again.

        Raises:
            ControlError: no such fault.
        """
        if kind not in self.faults:
            raise ControlError(f"no such fault: {kind}; there are: {', '.join(self.faults[1:])}")
        self.fault = kind
