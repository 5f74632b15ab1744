"""A parcel station of lock boards that jam, bounce, fall silent and share addresses on demand."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from devices.agent.device import NoAnswerError
from devices.locker.driver import CompartmentReading, Place
from devices.simulators.world import ControlError, Schedule, StateFile, Verb

_BOUNCE_S = 0.25
_BOUNCE_STEP_S = 0.06
Size = Literal["S", "M", "L", "XL"]
FAULTS = ("jam", "slow", "bounce", "sensor_stuck", "no_reply", "double")


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
    """Keeps the contract `LockBoards`. With `auto_close_s` a simulated person uses every door that opens.

    The person puts a parcel into an empty compartment and takes it out of a full one, then closes the door.
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
    ) -> None:
        self._layout, self._schedule, self._file = tuple(layout), schedule, file
        self._auto_close_s, self._pulse_s = auto_close_s, pulse_s
        self._lock = threading.RLock()
        self._dead_boards: set[str] = set()
        self._boxes = {place.node: Box(occupied=place.node in occupied) for place in layout}
        self._recall()
        self.pulses: list[str] = []
        """Every pulse ever fired, for tests that count them."""

    def places(self) -> Sequence[Place]:
        """Return the compartments."""
        return [
            Place(node=place.node, board=place.board, name=place.node, has_thermometer=place.cooled)
            for place in self._layout
        ]

    def pulse(self, node: str) -> None:
        """Fire the lock; an opened door starts the simulated person."""
        box = self._boxes[node]
        if self._board_of(node) in self._dead_boards:
            raise NoAnswerError
        time.sleep(self._pulse_s)
        with self._lock:
            self.pulses.append(node)
            slow_ms = box.faults.get("slow")
            if "jam" in box.faults:
                pass
            elif isinstance(slow_ms, int) and slow_ms:
                self._schedule(slow_ms / 1000, lambda: self._spring(node))
            else:
                self._spring(node)
            double = box.faults.get("double")
            if isinstance(double, str):
                self._spring(double)
        if "no_reply" in box.faults:
            raise NoAnswerError

    def read(self, board: str) -> Mapping[str, CompartmentReading]:
        """Return what the sensors say."""
        if board in self._dead_boards:
            raise NoAnswerError
        with self._lock:
            return {place.node: self._reading(place) for place in self._layout if place.board == board}

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
        with self._lock:
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
        """Break something: jam, slow (ms), bounce, sensor_stuck, no_reply, double (the other compartment)."""
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
        if all(place.board != board for place in self._layout):
            raise ControlError(f"no board {board}")
        (self._dead_boards.add if dead else self._dead_boards.discard)(board)

    def auto(self, seconds: float) -> None:
        """Have the simulated person close each opened door after so many seconds; 0: nobody comes."""
        self._auto_close_s = seconds

    def _spring(self, node: str) -> None:
        """Let a door spring open."""
        box = self._boxes[node]
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

    def _reading(self, place: Compartment) -> CompartmentReading:
        box = self._boxes[place.node]
        return CompartmentReading(
            door_open=self._sensed(box),
            occupied=box.occupied,
            temperature_milli=4_000 if place.cooled else None,
        )

    def _sensed(self, box: Box) -> bool:
        if "sensor_stuck" in box.faults and box.stuck_reading is not None:
            return box.stuck_reading
        since_s = time.monotonic() - box.opened_s
        if box.is_open and "bounce" in box.faults and since_s < _BOUNCE_S:
            return int(since_s / _BOUNCE_STEP_S) % 2 == 0
        return box.is_open

    def _board_of(self, node: str) -> str:
        return next(place.board for place in self._layout if place.node == node)

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
