"""Audit files that a hand-held reader leaves in a folder of the machine's computer."""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from devices.vending.agent import LARGEST_AUDIT_BYTES
from devices.vending.driver import Drop, MachineListener, Planned, Slot, VendingMachine

log = logging.getLogger(__name__)

_LOOK_S = 5.0
SENT = ".sent"


class AuditFolder:
    """A machine as it is, whose audit files come from a folder; each file is handed over once and then renamed."""

    def __init__(self, machine: VendingMachine, folder: Path, *, look_s: float = _LOOK_S) -> None:
        self._machine, self._folder, self._look_s = machine, folder, look_s
        self._sizes: dict[Path, int] = {}
        self._ended = threading.Event()

    def slots(self) -> Sequence[Slot]:
        """Return the machine's slots."""
        return self._machine.slots()

    def plan(self, slots: Mapping[str, Planned]) -> None:
        """Pass a planogram on."""
        self._machine.plan(slots)

    def vend(self, slot: str, turn: str) -> Drop:
        """Turn a motor of the machine."""
        return self._machine.vend(slot, turn)

    def drop_of(self, turn: str) -> Drop | None:
        """Ask the machine's drop sensor."""
        return self._machine.drop_of(turn)

    def watch(self, listener: MachineListener, doubts: Collection[str] = ()) -> None:
        """Listen to the machine and look into the folder."""
        self._machine.watch(listener, doubts)
        threading.Thread(target=self._run, args=(listener,), name="audit-folder", daemon=True).start()

    def close(self) -> None:
        """Stop looking and free the machine."""
        self._ended.set()
        self._machine.close()

    def _run(self, listener: MachineListener) -> None:
        while not self._ended.wait(self._look_s):
            try:
                self._look(listener)
            except OSError as error:
                log.warning("the audit folder cannot be read: %s", error)

    def _look(self, listener: MachineListener) -> None:
        """Hand over what has not grown since the last look: a reader writes while we look."""
        found = {path: path.stat().st_size for path in sorted(self._folder.iterdir()) if _is_new(path)}
        for path, size in found.items():
            if self._sizes.get(path) == size:
                with path.open("rb") as file:
                    listener.audited(file.read(LARGEST_AUDIT_BYTES + 1))
                path.rename(path.with_name(path.name + SENT))
        self._sizes = {path: size for path, size in found.items() if path.exists()}


def _is_new(path: Path) -> bool:
    return path.is_file() and path.suffix != SENT and not path.name.startswith(".")
