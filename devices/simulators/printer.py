"""A slip printer that prints into a folder."""

import re
import time
from pathlib import Path

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.printer.driver import PrinterState, Slip
from devices.simulators.world import ControlError, Verb


class SimulatedPrinter:
    """Keeps the contract `SlipPrinter`: each slip becomes a text file, named by its order and title."""

    def __init__(self, folder: Path, *, print_s: float = 0.2) -> None:
        self._folder, self._print_s = folder, print_s
        self._state = PrinterState.OK
        self._is_silent = False
        folder.mkdir(parents=True, exist_ok=True)

    def state(self) -> PrinterState:
        """Return what the sensors say."""
        return PrinterState.OFFLINE if self._is_silent else self._state

    def print(self, slip: Slip) -> PrinterState:
        """Write one slip to the folder."""
        if self._state is not PrinterState.OK:
            return self._state
        time.sleep(self._print_s)
        number = len(list(self._folder.glob("*.txt"))) + 1
        name = re.sub(r"[^a-z0-9]+", "-", slip.title.lower()).strip("-") or "slip"
        text = [slip.title, *slip.lines, *([f"[QR] {slip.qr}"] if slip.qr else [])]
        (self._folder / f"{number:05d}-{name}.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
        if self._is_silent:
            raise NoAnswerError
        return PrinterState.OK

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the printer."""
        return {"paper": self.paper, "silent": self.silent}

    def paper(self, state: str) -> None:
        """Set the sensors: ok, paper-out, cover-open."""
        if state not in tuple(PrinterState):
            raise ControlError(f"no such state: {state}")
        self._state = PrinterState(state)

    def silent(self, *, on: bool) -> None:
        """Have the printer print but not answer."""
        self._is_silent = on

    def look(self) -> JsonValue:
        """Return the names of the printed slips."""
        return [path.name for path in sorted(self._folder.glob("*.txt"))]
