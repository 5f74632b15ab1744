"""A parcel station: doors that jam, bounce and stand open, on lock boards that fall silent and share addresses."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from devices.simulators.lockends import TcpEnd
from devices.simulators.lockwire import SPEECHES, Board, Line
from devices.simulators.world import ControlError, Schedule, StateFile, Verb

_BOUNCE_S = 0.25
_BOUNCE_STEP_S = 0.06
Size = Literal["S", "M", "L", "XL"]
Make = Literal["kerong-cu16", "cu48", "cu48-modbus", "waveshare"]
FIRST_ADDRESS: Mapping[Make, int] = {"kerong-cu16": 0, "cu48": 0, "cu48-modbus": 1, "waveshare": 1}
FAULTS = ("jam", "slow", "bounce", "sensor_stuck", "no_reply", "garble", "brownout", "double")
BOARD_FAULTS = ("garbage", "late", "twin")
_COOL_MILLI = 4_000


class Compartment(BaseModel):
    """One compartment as it was built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    board: str
    size: Size = "M"
    accessible: bool = False
    cooled: bool = False


def _station() -> tuple[Compartment, ...]:
    """Return 24 compartments on three boards: 9 S, 8 M, 5 L, 2 XL; box-05 at wheelchair height, box-17 cooled."""
    counts: dict[Size, int] = {"S": 9, "M": 8, "L": 5, "XL": 2}
    sizes = [size for size, count in counts.items() for _ in range(count)]
    return tuple(
        Compartment(
            node=f"box-{number:02d}",
            board=f"board-{(number - 1) // 8 + 1}",
            size=size,
            accessible=number == 5,  # noqa: PLR2004 - the one at 85 to 105 cm
            cooled=number == 17,  # noqa: PLR2004 - the one with its own cooling
        )
        for number, size in enumerate(sizes, start=1)
    )


STATION = _station()


@dataclass(slots=True)
class Box:
    """The physical compartment and its faults."""

    is_open: bool = False
    occupied: bool = False
    temperature_milli: int = 18_000
    opened_s: float = 0.0
    stuck_reading: bool | None = None
    faults: dict[str, JsonValue] = field(default_factory=dict)


class SimulatedBoards:
    """Doors behind lock boards on one line, which a driver reaches at `port`.

    With `auto_close_s` a simulated person uses every door that opens: puts a parcel into an empty compartment and
    takes it out of a full one, then closes the door.
    """

    def __init__(
        self,
        layout: Sequence[Compartment] = STATION,
        *,
        schedule: Schedule,
        file: StateFile,
        auto_close_s: float = 0.0,
        pulse_s: float = 0.2,
        occupied: Sequence[str] = (),
        make: Make = "kerong-cu16",
    ) -> None:
        self._schedule, self._file = schedule, file
        self._auto_close_s, self._pulse_s = auto_close_s, pulse_s
        self._lock = threading.RLock()
        self._nodes = {name: _on_board(layout, name) for name in sorted({place.board for place in layout})}
        self._cooled = [place.node for place in layout if place.cooled]
        self._boxes = {place.node: Box(occupied=place.node in occupied) for place in layout}
        self._recall()
        self._energised_until = 0.0
        self.pulses: list[str] = []
        """Every pulse ever fired, for tests that count them."""
        self.overlaps = 0
        """How often a lock was fired while another was energised."""
        first = FIRST_ADDRESS[make]
        boards = [Board(name, first + at, len(nodes), self) for at, (name, nodes) in enumerate(self._nodes.items())]
        self.line = Line(boards, SPEECHES[make](), schedule)
        self._end = TcpEnd(self.line)
        self.port = self._end.port

    def close(self) -> None:
        """Stop listening."""
        self._end.close()

    def probes(self) -> dict[str, Callable[[], int | None]]:
        """Return the thermometers, which are no part of the lock boards."""
        return dict.fromkeys(self._cooled, lambda: _COOL_MILLI)

    def doors(self) -> dict[str, list[int]]:
        """Return which compartment hangs on which channel of which board: the door map."""
        return {name: [int(node.removeprefix("box-")) for node in nodes] for name, nodes in self._nodes.items()}

    # What the boards do

    def fire(self, board: str, channel: int) -> str:
        """Energise a lock; an opened door starts the simulated person."""
        node = self._nodes[board][channel - 1]
        box = self._boxes[node]
        with self._lock:
            now = time.monotonic()
            overlaps = now < self._energised_until
            self._energised_until = now + self._pulse_s
            self.overlaps += overlaps
            self.pulses.append(node)
            self._move(node, box)
        if overlaps or "brownout" in box.faults:
            return "brownout"
        return "mute" if "no_reply" in box.faults else "garble" if "garble" in box.faults else ""

    def closed(self, board: str) -> list[bool]:
        """Return the door contacts."""
        with self._lock:
            return [not self._sensed(self._boxes[node]) for node in self._nodes[board]]

    def filled(self, board: str) -> list[bool]:
        """Return the light barriers."""
        with self._lock:
            return [self._boxes[node].occupied for node in self._nodes[board]]

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the station."""
        return {
            "open_door": self.open_door,
            "close_door": self.close_door,
            "put_parcel": lambda node: self.set_presence(node, present=True),
            "take_parcel": lambda node: self.set_presence(node, present=False),
            "fault": self.fault,
            "repair": self.repair,
            "board": self.board,
            "board_fault": self.board_fault,
            "repair_board": self.repair_board,
            "unplug": self._end.unplug,
            "auto": self.auto,
        }

    def look(self) -> JsonValue:
        """Return doors, parcels and faults by compartment."""
        with self._lock:
            return {
                node: {"open": box.is_open, "occupied": box.occupied, "faults": dict(box.faults)}
                for node, box in self._boxes.items()
            }

    def open_door(self, node: str) -> None:
        """Force a door open, as a burglar would."""
        self._find(node)
        self._spring(node)

    def close_door(self, node: str) -> None:
        """Push a door shut."""
        box = self._find(node)
        with self._lock:
            box.is_open = False
            self._save()

    def set_presence(self, node: str, *, present: bool) -> None:
        """Put a parcel in or take it out.

        Raises:
            ControlError: the door is closed.
        """
        box = self._find(node)
        if not box.is_open:
            raise ControlError(f"{node} is closed")
        with self._lock:
            box.occupied = present
            self._save()

    def fault(self, node: str, name: str, value: JsonValue = True) -> None:  # noqa: FBT002 - JSON has no keyword-only
        """Break something: jam, slow (ms), bounce, sensor_stuck, double (the other compartment).

        At the next pulse: no_reply, garble (a spoiled answer), brownout (the board restarts).
        """
        box = self._find(node)
        if name not in FAULTS:
            raise ControlError(f"no such fault: {name}")
        with self._lock:
            if name == "sensor_stuck":
                box.stuck_reading = box.is_open
            box.faults[name] = value

    def repair(self, node: str) -> None:
        """Mend everything at a compartment."""
        self._find(node).faults.clear()

    def board(self, board: str, *, dead: bool) -> None:
        """Pull or plug the cable of a board."""
        self._find_board(board).is_dead = dead

    def board_fault(self, board: str, name: str, value: JsonValue = True) -> None:  # noqa: FBT002 - as above
        """Break a board: garbage (noise instead of answers), late (ms), twin (takes the other board's address)."""
        broken = self._find_board(board)
        if name not in BOARD_FAULTS:
            raise ControlError(f"no such fault: {name}")
        if name == "garbage":
            broken.is_garbling = True
        elif name == "late" and isinstance(value, int):
            broken.late_s = value / 1000
        else:
            broken.address = self._find_board(str(value)).address

    def repair_board(self, board: str) -> None:
        """Mend a board; its address is the one it was built with."""
        mended = self._find_board(board)
        mended.is_dead = mended.is_garbling = False
        mended.late_s = mended.silent_until = 0.0
        mended.address = mended.first_address

    def auto(self, seconds: float) -> None:
        """Have the simulated person close each opened door after so many seconds; 0: nobody comes."""
        self._auto_close_s = seconds

    def _spring(self, node: str) -> None:
        """Let a door spring open."""
        box = self._boxes[node]
        with self._lock:
            if box.is_open:
                return
            box.is_open, box.opened_s = True, time.monotonic()
            self._save()
        if self._auto_close_s > 0:
            self._someone_comes(node)

    def _someone_comes(self, node: str) -> None:
        self._schedule(self._auto_close_s, lambda: self._use(node))

    def _use(self, node: str) -> None:
        """Do what the person came for and shut the door."""
        box = self._boxes[node]
        with self._lock:
            if box.is_open and self._auto_close_s > 0:
                box.occupied = not box.occupied
                box.is_open = False
                self._save()

    def _sensed(self, box: Box) -> bool:
        if "sensor_stuck" in box.faults and box.stuck_reading is not None:
            return box.stuck_reading
        since_s = time.monotonic() - box.opened_s
        if box.is_open and "bounce" in box.faults and since_s < _BOUNCE_S:
            return int(since_s / _BOUNCE_STEP_S) % 2 == 0
        return box.is_open

    def _move(self, node: str, box: Box) -> None:
        """Let the lock do what it does when it is energised."""
        slow_ms, other = box.faults.get("slow"), box.faults.get("double")
        if "jam" not in box.faults:
            slow_s = slow_ms / 1000 if isinstance(slow_ms, int) else 0.0
            self._schedule(self._pulse_s + slow_s, lambda: self._spring(node))
        if isinstance(other, str):
            self._schedule(self._pulse_s, lambda: self._spring(other))

    def _find_board(self, board: str) -> Board:
        if board not in self.line.boards:
            raise ControlError(f"no board {board}")
        return self.line.boards[board]

    def _find(self, node: str) -> Box:
        if node not in self._boxes:
            raise ControlError(f"no compartment {node}")
        return self._boxes[node]

    def _recall(self) -> None:
        for node, saved in self._file.load().items():
            if node in self._boxes and isinstance(saved, dict):
                self._boxes[node].is_open = bool(saved.get("open"))
                self._boxes[node].occupied = bool(saved.get("occupied"))
                if self._boxes[node].is_open and self._auto_close_s > 0:
                    self._someone_comes(node)

    def _save(self) -> None:
        self._file.save({node: {"open": box.is_open, "occupied": box.occupied} for node, box in self._boxes.items()})


def _on_board(layout: Sequence[Compartment], board: str) -> list[str]:
    return [place.node for place in layout if place.board == board]
