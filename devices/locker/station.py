"""A station: lock boards on one line or several, and the door map that says which lock belongs to which compartment."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from devices.agent.device import NoAnswerError
from devices.locker.driver import ChannelReading, Finding, LockBoards

_BOARDS_PER_LINE = 100


@dataclass(frozen=True, slots=True, order=True)
class Wire:
    """A lock: its board, named as on the hub, and its channel from 1, as printed on the board."""

    board: str
    channel: int

    def __str__(self) -> str:
        return f"{self.board} channel {self.channel}"


DoorMap = Mapping[str, Sequence[int]]
"""For each board the compartment numbers by channel; 0 = nothing hangs on this channel."""


@dataclass(frozen=True, slots=True)
class FoundBoard:
    """A board as a scan found it."""

    board: str
    channels: int
    finding: Finding


class DoorMapError(ValueError):
    """A door map that names a number twice, or a board that cannot be."""


class Station:
    """Boards are named by line and address: `board-1` is the lowest address of the first line, `board-101` of the next.

    So a board keeps its name however many others are found or lost.
    """

    def __init__(
        self, lines: Sequence[LockBoards], doors: DoorMap | None = None, *, places: Sequence[str] = ()
    ) -> None:
        self._lines = tuple(lines)
        self.places = list(places)
        """Where each line goes, as it was written; a door map holds for these only."""
        self._wires: dict[str, Wire] = {}
        self._nodes: dict[Wire, str] = {}
        self._boards: set[str] = set()
        self.connect(doors or {})

    @property
    def boards(self) -> list[str]:
        """Return the boards to watch: those with doors, and those that were found."""
        return sorted(self._boards, key=_number)

    @property
    def wires(self) -> Mapping[str, Wire]:
        """Return the lock of each compartment by node."""
        return self._wires

    @property
    def doors(self) -> DoorMap:
        """Return the door map."""
        return {
            board: [_box(self._nodes.get(Wire(board, channel))) for channel in range(1, self.channels(board) + 1)]
            for board in sorted({wire.board for wire in self._nodes}, key=_number)
        }

    def connect(self, doors: DoorMap) -> None:
        """Take another door map.

        Raises:
            DoorMapError: it cannot be.
        """
        wires = self.check(doors)
        self._wires = dict(sorted(wires.items()))
        self._nodes = {wire: node for node, wire in wires.items()}
        self._boards |= {wire.board for wire in wires.values()}

    def check(self, doors: DoorMap) -> dict[str, Wire]:
        """Return the lock of each compartment that a door map means.

        Raises:
            DoorMapError: it cannot be.
        """
        wires: dict[str, Wire] = {}
        for board, numbers in doors.items():
            if len(numbers) > self.channels(board):
                raise DoorMapError(f"{board} has {self.channels(board)} channels only")
            for channel, number in enumerate(numbers, start=1):
                if number:
                    _add(wires, number, Wire(board, channel))
        return wires

    def node(self, wire: Wire) -> str:
        """Return the compartment behind a lock, or nothing."""
        return self._nodes.get(wire, "")

    def channels(self, board: str) -> int:
        """Return how many locks a board has.

        Raises:
            DoorMapError: no such board can be.
        """
        return self._find(board)[0].channels

    def has_presence(self, board: str) -> bool:
        """Tell whether a board reads light barriers."""
        return self._find(board)[0].has_presence

    def pulse_s(self, board: str) -> float:
        """Return how long the board energises a lock."""
        return self._find(board)[0].pulse_s

    def hold(self, board: str) -> AbstractContextManager[object]:
        """Keep others off the board's line."""
        return self._find(board)[0].hold()

    def ready(self, board: str) -> None:
        """Get the board's line ready for a pulse.

        Raises:
            NotSentError: it cannot be.
        """
        line, address = self._find(board)
        line.ready(address)

    def pulse(self, wire: Wire) -> None:
        """Fire one lock once.

        Raises:
            NotSentError: the line is not ready; nothing was fired.
            NoAnswerError: no valid reply: the lock may have opened or not.
        """
        line, address = self._find(wire.board)
        line.pulse(address, wire.channel)

    def read(self, board: str) -> Sequence[ChannelReading]:
        """Return what a board says of its locks, by channel.

        Raises:
            NoAnswerError: no valid reply.
        """
        line, address = self._find(board)
        return line.read(address)

    def scan(self) -> list[FoundBoard]:
        """Look on all lines who is there; boards that are found are watched from now on.

        Raises:
            NoAnswerError: no line can be opened.
        """
        found: list[FoundBoard] = []
        broken = 0
        for place, line in enumerate(self._lines):
            try:
                heard = line.scan()
            except NoAnswerError:
                broken += 1
                continue
            found += [FoundBoard(_name(place, line, one.address), line.channels, one.finding) for one in heard]
        if broken == len(self._lines):
            raise NoAnswerError
        self._boards = {one.board for one in found} | {wire.board for wire in self._nodes}
        return found

    def close(self) -> None:
        """Let go of all lines."""
        for line in self._lines:
            line.close()

    def _find(self, board: str) -> tuple[LockBoards, int]:
        place, index = divmod(_number(board) - 1, _BOARDS_PER_LINE)
        if not 0 <= place < len(self._lines) or index >= len(self._lines[place].addresses):
            raise DoorMapError(f"no {board}")
        return self._lines[place], self._lines[place].addresses[index]


def node_of(number: int) -> str:
    """Return the node of a compartment number: box-03."""
    return f"box-{number:02d}"


def _add(wires: dict[str, Wire], number: int, wire: Wire) -> None:
    if number < 0 or node_of(number) in wires:
        raise DoorMapError(f"compartment {number} is wired twice")
    wires[node_of(number)] = wire


def _box(node: str | None) -> int:
    return int(node.removeprefix("box-")) if node else 0


def _name(place: int, line: LockBoards, address: int) -> str:
    return f"board-{place * _BOARDS_PER_LINE + line.addresses.index(address) + 1}"


def _number(board: str) -> int:
    digits = board.removeprefix("board-")
    if not board.startswith("board-") or not digits.isascii() or not digits.isdigit() or digits.startswith("0"):
        raise DoorMapError(f"no board: {board}")  # board-01 would be a second name for board-1, and for its locks
    return int(digits)
