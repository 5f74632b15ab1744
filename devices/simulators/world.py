"""What every simulator shares: verbs a person or test may use, and a physical state that outlives the process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the busy villagers use this module, too, and stay small without pydantic
    from pydantic import JsonValue

Verb = Callable[..., "JsonValue"]


class ControlError(Exception):
    """A verb that this simulator does not know, or that cannot be done now."""


class Schedule(Protocol):
    """Does something later: `Host.later`."""

    def __call__(self, delay_s: float, work: Callable[[], object]) -> object:
        """Have `work` done after `delay_s` seconds."""


class Simulator(Protocol):
    """A twin that can be told to do things."""

    def verbs(self) -> dict[str, Verb]:
        """Return what people, tests and faults can do to it, by name."""

    def look(self) -> JsonValue:
        """Return its physical state, for a person who looks."""


class StateFile:
    """A small JSON file, replaced as a whole: parcels stay in their boxes when the process is killed.

    Not forced to disk: a physical world does not forget on a crash of this process, and a power cut of the whole
    machine is no case for a simulator.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def load(self) -> dict[str, JsonValue]:
        """Return what was saved, or nothing."""
        if self._path is None or not self._path.exists():
            return {}
        try:
            found = json.loads(self._path.read_text())
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, state: JsonValue) -> None:
        """Replace the file."""
        if self._path is None:
            return
        with self._lock:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(state))
            fresh.replace(self._path)
