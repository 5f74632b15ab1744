"""An entrance door with opener, contact and counting sensor; from inside it always opens."""

import threading
import time

from pydantic import JsonValue

from devices.door.driver import DoorListener
from devices.simulators.world import ControlError, Schedule, Verb

_WALK_S = 0.5


class SimulatedDoor:
    """Keeps the contract `ShopDoor`. With `auto_close_s` a simulated person walks in when the opener is released."""

    def __init__(self, *, schedule: Schedule, auto_close_s: float = 0.0) -> None:
        self._schedule, self._auto_close_s = schedule, auto_close_s
        self._lock = threading.RLock()
        self._listener: DoorListener | None = None
        self._is_open = False
        self._is_free = False
        self._released_until_s = 0.0
        self.releases = 0
        """How often the opener was released, for tests that count."""

    def watch(self, listener: DoorListener) -> None:
        """Tell the listener from now on."""
        self._listener = listener
        listener.moved(is_open=self._is_open)

    def release(self, hold_s: int) -> None:
        """Release the opener for a while."""
        self.releases += 1
        self._released_until_s = time.monotonic() + hold_s
        if self._auto_close_s > 0:
            self._schedule(_WALK_S, self._walk_in)

    def set_free(self, *, free: bool) -> None:
        """Hold the opener released or not."""
        self._is_free = free

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the door."""
        return {
            "enter": self.enter,
            "leave": self.leave,
            "force": lambda: self._move(is_open=True),
            "close_door": lambda: self._move(is_open=False),
            "auto": self.auto,
        }

    def look(self) -> JsonValue:
        """Return leaf and opener."""
        return {"open": self._is_open, "free": self._is_free, "released": self._is_released()}

    def enter(self) -> None:
        """Pull the door, walk in; the door stays open until `close_door` or the closer does it.

        Raises:
            ControlError: it is locked.
        """
        if not self._is_released():
            raise ControlError("the door is locked")
        self._move(is_open=True)
        self._told().passed(inwards=True)

    def leave(self) -> None:
        """Use the handle inside and walk out."""
        self._told().exit_used()
        self._move(is_open=True)
        self._told().passed(inwards=False)
        if self._auto_close_s > 0:
            self._schedule(self._auto_close_s, lambda: self._move(is_open=False))

    def auto(self, seconds: float) -> None:
        """Have a person come in at each release and the closer shut after so many seconds; 0: nobody comes."""
        self._auto_close_s = seconds

    def _walk_in(self) -> None:
        if self._is_released():
            self.enter()
            self._schedule(self._auto_close_s, lambda: self._move(is_open=False))

    def _move(self, *, is_open: bool) -> None:
        with self._lock:
            if self._is_open == is_open:
                return
            self._is_open = is_open
        self._told().moved(is_open=is_open)

    def _is_released(self) -> bool:
        return self._is_free or time.monotonic() < self._released_until_s

    def _told(self) -> DoorListener:
        if self._listener is None:
            raise ControlError("not started")
        return self._listener
