"""Binds the entrance door to the protocol. Leaving is always free; without the hub the stored opening rule decides."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue, ValidationError

from devices.agent.agent import Agent
from devices.agent.clock import boot_ms
from devices.agent.device import Device, NoAnswerError, Order, Outcome
from devices.agent.host import Timer
from devices.door.driver import ShopDoor
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.kinds import RuleArguments
from devices.protocol.messages import Code

NODE = "door"
MODES = ("auto", "locked", "free")
_MAX_HOLD_S = 60
_EXIT_GRACE_MS = 10_000
"""After the handle inside was used, the opening within this time is a leaving."""
_HUB_SILENT_MS = 35_000
"""The hub tells the time every 10 s; after three missed ones it counts as gone."""
_RULE_EVERY_S = 10.0
_MODE = "mode"
_RULE = "rule"


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly time in which the door is free while the hub is away: weekday 0 = Monday, minutes since midnight."""

    weekday: int
    from_minute: int
    to_minute: int


class DoorDevice(Device):
    """One entrance. While the hub is away, the rule that it has left here decides.

    `windows` counts where no such rule was ever left or the last one has ended; empty = closed then.
    """

    kind: ClassVar[str] = "door"

    def __init__(self, door: ShopDoor, *, windows: Sequence[Window] = (), held_open_s: float = 60.0) -> None:
        self._door = door
        self._windows = tuple(windows)
        self._held_open_s = held_open_s
        self._lock = threading.Lock()
        self._mode = "auto"
        self._is_open: bool | None = None
        self._may_open_until_ms = 0
        self._entry = ("", 0)
        self._held: Timer | None = None
        self._free = False
        self._rule: RuleArguments | None = None

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node."""
        properties = {
            "door": PropertyDescription(datatype="enum", format="open,closed,unknown"),
            "lock": PropertyDescription(datatype="enum", format="locked,released,free,unknown"),
            "mode": PropertyDescription(datatype="enum", format=",".join(MODES)),
            "rule": PropertyDescription(datatype="json"),
        }
        return {NODE: NodeDescription(name=NODE, type="entrance", properties=properties)}

    def start(self, agent: Agent) -> None:
        """Recall the mode and begin to watch."""
        self._agent = agent
        mode = agent.note(_MODE)
        self._mode = mode if isinstance(mode, str) and mode in MODES else "auto"
        agent.set(NODE, "mode", self._mode)
        self._rule = _rule(agent.note(_RULE))
        self._tell_rule()
        agent.set(NODE, "door", "unknown")
        self._apply_rule()
        agent.every(_RULE_EVERY_S, self._apply_rule)
        self._door.watch(self)

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Only `unlock {hold_s}` of 1 to 60 s, `mode {mode}` and `rule {windows, until}`."""
        if node != NODE or op not in ("unlock", "mode", "rule"):
            return Code.NOT_FOUND
        if op == "rule":
            return None if _rule(dict(args)) is not None else Code.BAD_ARGUMENTS
        if op == "mode":
            return None if set(args) == {"mode"} and args["mode"] in MODES else Code.BAD_ARGUMENTS
        hold_s = args.get("hold_s")
        good = set(args) == {"hold_s"} and type(hold_s) is int and 1 <= hold_s <= _MAX_HOLD_S
        return None if good else Code.BAD_ARGUMENTS

    def perform(self, order: Order) -> Outcome:
        """Release the opener, change the mode, or keep a rule for later."""
        if order.op == "rule":
            return self._keep_rule(order)
        if order.op == "mode":
            order.begin()
            self._mode = str(order.args["mode"])
            self._agent.write_note(_MODE, self._mode)
            self._agent.set(NODE, "mode", self._mode)
            self._apply_rule()
            return Outcome.done(mode=self._mode)
        hold_s = int(str(order.args["hold_s"]))
        with order.pulse():
            self._allow(hold_s, order.id)
            self._door.release(hold_s)
        self._tell_lock("released")
        self._agent.host.later(hold_s, self._tell_lock)
        return Outcome.done(hold_s=hold_s)

    def _keep_rule(self, order: Order) -> Outcome:
        order.begin()
        self._agent.write_note(_RULE, dict(order.args))
        self._rule = _rule(dict(order.args))
        self._tell_rule()
        self._apply_rule()
        return Outcome.done()

    def _tell_rule(self) -> None:
        rule = self._rule or RuleArguments(windows=[], until=0)
        self._agent.set(NODE, "rule", rule.model_dump())

    # What the door tells

    def moved(self, *, is_open: bool) -> None:
        """Publish the leaf; an opening that nobody allowed is forced."""
        with self._lock:
            first, self._is_open = self._is_open is None, is_open
            allowed = self._free or boot_ms() <= self._may_open_until_ms
            cause = self._entry_cause()
        self._agent.set(NODE, "door", "open" if is_open else "closed")
        if self._held is not None:
            self._held.cancel()
        if not is_open:
            return
        if not allowed and not first:
            self._agent.event(NODE, "forced")
        self._held = self._agent.host.later(
            self._held_open_s, lambda: self._agent.event(NODE, "held-open", cause=cause)
        )

    def passed(self, *, inwards: bool) -> None:
        """Publish an entry or an exit."""
        with self._lock:
            cause = self._entry_cause() if inwards else ""
        self._agent.event(NODE, "entry" if inwards else "exit", cause=cause)

    def exit_used(self) -> None:
        """Someone is leaving: the next opening is theirs."""
        self._allow(_EXIT_GRACE_MS // 1000, "")

    def _allow(self, hold_s: int, cause: str) -> None:
        """Let the door be opened for a while; with a cause it is an entry, without one a leaving."""
        until_ms = boot_ms() + hold_s * 1000
        with self._lock:
            self._may_open_until_ms = max(self._may_open_until_ms, until_ms)
            if cause:
                self._entry = (cause, until_ms)

    def _entry_cause(self) -> str:
        cause, until_ms = self._entry
        return cause if boot_ms() <= until_ms else ""

    def _apply_rule(self) -> None:
        """Hold the opener free when the mode says so, or when the hub is away and the stored rule says so."""
        free = self._mode == "free" or (self._mode == "auto" and self._hub_is_away() and self._within_window())
        try:
            self._door.set_free(free=free)
        except NoAnswerError:
            self._agent.set(NODE, "lock", "unknown")
            return
        self._free = free
        self._tell_lock()

    def _hub_is_away(self) -> bool:
        heard_ms = self._agent.hub_heard_ms
        return heard_ms is None or boot_ms() - heard_ms > _HUB_SILENT_MS

    def _within_window(self) -> bool:
        now_ms = self._agent.wall_ms()
        if now_ms is None:
            return False
        now_s = now_ms / 1000
        if self._rule is not None and now_s < self._rule.until:
            return any(begin <= now_s < end for begin, end in self._rule.windows)
        local = time.localtime(now_s)
        minute = local.tm_hour * 60 + local.tm_min
        return any(w.weekday == local.tm_wday and w.from_minute <= minute < w.to_minute for w in self._windows)

    def _tell_lock(self, state: str = "") -> None:
        self._agent.set(NODE, "lock", state or ("free" if self._free else "locked"))


def _rule(value: JsonValue) -> RuleArguments | None:
    try:
        return RuleArguments.model_validate(value)
    except ValidationError:
        return None
