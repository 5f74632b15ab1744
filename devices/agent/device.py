"""The contract between the runtime and a kind of device (locker, vending machine, …)."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import JsonValue

from devices.protocol.description import NodeDescription
from devices.protocol.messages import Code, ResultState

if TYPE_CHECKING:
    from devices.agent.agent import Agent


class NoAnswerError(Exception):
    """The machine did not answer, or answered garbage: what happened is unknown (devices.md 4, rule 8)."""


class StaleError(Exception):
    """The command is too old to begin: nothing was moved."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended; becomes the one final `Result`."""

    state: ResultState
    code: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict)

    @classmethod
    def done(cls, **data: JsonValue) -> "Outcome":
        """It happened."""
        return cls(ResultState.DONE, data=data)

    @classmethod
    def failed(cls, code: str, **data: JsonValue) -> "Outcome":
        """It did not happen, and that is certain."""
        return cls(ResultState.FAILED, code, data)

    @classmethod
    def unknown(cls, code: str = Code.NO_ANSWER, **data: JsonValue) -> "Outcome":
        """It may or may not have happened."""
        return cls(ResultState.UNKNOWN, code, data)


class Order:
    """An accepted command in the hands of a device.

    The device moves something only inside `pulse()` or after `begin()`: both look again, right before, whether the
    command is still fresh.
    """

    def __init__(
        self,
        *,
        command_id: str,
        node: str,
        op: str,
        args: Mapping[str, JsonValue],
        stale: Callable[[], Code | None],
        pulse_lock: threading.Lock,
    ) -> None:
        self.id, self.node, self.op, self.args = command_id, node, op, args
        self.began = False
        self._stale = stale
        self._pulse_lock = pulse_lock

    def begin(self) -> None:
        """Say that the machine is moved now.

        Raises:
            StaleError: the lease or the time to live has run out; nothing may be moved.
        """
        code = self._stale()
        if code is not None:
            raise StaleError(code)
        self.began = True

    @contextmanager
    def pulse(self) -> Iterator[None]:
        """Hold the station's only pulse: never two locks at once (their supply breaks down).

        Raises:
            StaleError: the command grew too old while another pulse was running.
        """
        with self._pulse_lock:
            self.begin()
            yield


class Device(ABC):
    """One kind of machine. `refuse` runs on the desk and must be quick, `perform` runs by hand and may take long."""

    kind: ClassVar[str]
    actuates: ClassVar[bool] = True
    """Whether it takes commands, and therefore gives out leases."""
    limit_s: ClassVar[float] = 20.0
    """After so long without an end a command's verdict is `unknown`, whatever comes later."""

    driver: str = ""
    """Which driver it works with, for `$description`; whoever builds the device knows."""
    map_free: ClassVar[frozenset[str]] = frozenset()
    """Operations that name wires, not compartments: they mend a wrong map, so they do not depend on it."""

    @abstractmethod
    def describe(self) -> dict[str, NodeDescription]:
        """Return the nodes and properties for `$description`."""

    @abstractmethod
    def start(self, agent: "Agent") -> None:
        """Begin to watch the machine and to tell the agent; runs before the first connection."""

    def stop(self) -> None:  # noqa: B027 - most devices have nothing to end
        """End own threads and close ports."""

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:  # noqa: ARG002 - for overriders
        """Return why this command cannot be carried out, or None."""
        return Code.NOT_FOUND

    def perform(self, order: Order) -> Outcome:
        """Carry out a command and wait for its end.

        Raises:
            StaleError: from the order; nothing was moved.
            NoAnswerError: becomes `unknown`.
        """
        raise NotImplementedError(order.op)
