"""The rules for commands (devices.md section 4): at most once, never late, one final verdict for each id."""

import json
import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pydantic import JsonValue

from devices.agent.clock import boot_ms
from devices.agent.device import Device, NoAnswerError, Order, Outcome, StaleError
from devices.agent.host import Host, Timer
from devices.agent.journal import Journal
from devices.agent.leases import Leases
from devices.agent.outbox import Outbox
from devices.protocol import mac
from devices.protocol.ids import ULID_PATTERN
from devices.protocol.limits import MAX_PAYLOAD_BYTES, PROTOCOL_VERSION
from devices.protocol.messages import Accepted, Code, Command, Message, MessageError, Query, ResultState

log = logging.getLogger(__name__)

_MOST_FORGED = 20
_FORGED_WITHIN_MS = 10_000
"""More forged commands than this in ten seconds get no answer: a flood must not wear out the disk."""


class Answers(Protocol):
    """How the rules speak to the world."""

    def accepted(self, node: str, message: Accepted) -> None:
        """Publish that a command is being executed."""

    def again(self, node: str, message: Message) -> None:
        """Publish a stored result again, not retained."""

    def alert(self, name: str, text: str) -> None:
        """Raise an alert for the operator."""


class CommandRules:
    """Decides about every command; owned by the desk, except `_perform`, which runs by hand."""

    def __init__(
        self,
        *,
        device: Device,
        key: bytes,
        map_revision: Callable[[], int],
        host: Host,
        journal: Journal,
        leases: Leases,
        outbox: Outbox,
        answers: Answers,
    ) -> None:
        self._device, self._key, self._map = device, key, map_revision
        self._host, self._journal, self._leases = host, journal, leases
        self._outbox, self._answers = outbox, answers
        self._busy: dict[str, Timer] = {}
        """Nodes at work, with the limit that ends the waiting."""
        self._is_closed = False
        self._forged_at: deque[int] = deque(maxlen=_MOST_FORGED)
        self._pulse = threading.Lock()

    def settle_after_boot(self) -> None:
        """Call `unknown` what a crash or power cut interrupted: it is never tried a second time."""
        for command_id, node, op in self._journal.unfinished():
            self._outbox.result(command_id, node, op, Outcome.unknown(Code.INTERRUPTED), tries=1)

    def close(self) -> None:
        """Let nothing touch the journal any more; what is not finished is settled at the next start."""
        self._is_closed = True
        for limit in self._busy.values():
            limit.cancel()

    def handle(self, node: str, topic: str, payload: bytes, *, retained: bool, arrived_ms: int) -> None:
        """Decide about one message on a node's `command/set`."""
        try:
            command = Command.decode(payload)
        except MessageError as error:
            fields = _fields_of(payload)
            is_newer = fields.get("v", PROTOCOL_VERSION) != PROTOCOL_VERSION
            code = Code.WRONG_VERSION if is_newer else Code.MALFORMED
            self._refuse_forged(_id_in(fields), node, code, str(error))
            return
        if not mac.verify(self._key, topic, command):
            self._refuse_forged(command.id, node, Code.BAD_MAC)
        elif not self._answer_again(command.id):
            self._decide(command, node, retained=retained, arrived_ms=arrived_ms)

    def query(self, query: Query) -> None:
        """Answer for one id; an unknown one gets a tombstone first, so that a late copy cannot act any more."""
        if query.id is None or self._answer_again(query.id):
            return
        outcome = Outcome(ResultState.REJECTED, Code.UNKNOWN_ID)
        self._outbox.result(query.id, query.node, "", outcome)

    def _decide(self, command: Command, node: str, *, retained: bool, arrived_ms: int) -> None:
        code = self._objection(command, node, retained=retained)
        if code is None:
            self._accept(command, node, arrived_ms)
            return
        if code in (Code.RETAINED, Code.OLD_GENERATION, Code.MAP_CHANGED):
            self._answers.alert("refused-command", f"{node}: {code}")
        self._outbox.result(command.id, node, command.op, Outcome(ResultState.REJECTED, code))

    def _objection(self, command: Command, node: str, *, retained: bool) -> Code | None:
        if retained:
            return Code.RETAINED
        if command.gen < self._journal.gen:
            return Code.OLD_GENERATION
        if command.gen > self._journal.gen:
            self._journal.raise_generation(command.gen)
        if command.map != self._map() and command.op not in self._device.map_free:
            return Code.MAP_CHANGED
        if not self._leases.is_fresh(command.lease):
            return Code.STALE_LEASE
        if node in self._busy:
            return Code.BUSY
        return self._device.refuse(node, command.op, command.args)

    def _accept(self, command: Command, node: str, arrived_ms: int) -> None:
        self._journal.begin(command.id, node, command.op)
        order = Order(
            command_id=command.id,
            node=node,
            op=command.op,
            args=command.args,
            stale=self._staleness(command, arrived_ms),
            pulse_lock=self._pulse,
        )
        self._answers.accepted(node, Accepted(id=command.id))
        self._host.run_by_hand(lambda: self._perform(order))
        self._busy[node] = self._host.later(self._device.limit_s, lambda: self._give_up(order))

    def _staleness(self, command: Command, arrived_ms: int) -> Callable[[], Code | None]:
        def look() -> Code | None:
            if not self._leases.is_fresh(command.lease):
                return Code.STALE_LEASE
            return Code.EXPIRED if boot_ms() - arrived_ms > command.ttl_ms else None

        return look

    def _perform(self, order: Order) -> None:
        try:
            outcome = self._device.perform(order)
        except StaleError as error:
            outcome = Outcome(ResultState.REJECTED, error.code)
        except NoAnswerError:
            outcome = Outcome.unknown() if order.began else Outcome.failed(Code.NO_ANSWER)
        except Exception:
            log.exception("%s of %s failed", order.op, order.node)
            outcome = Outcome.unknown(Code.FAULT) if order.began else Outcome.failed(Code.FAULT)
        self._host.post(lambda: self._finish(order, outcome))

    def _finish(self, order: Order, outcome: Outcome) -> None:
        if self._is_closed:
            return
        self._busy.pop(order.node).cancel()
        if self._is_open(order):
            self._outbox.result(order.id, order.node, order.op, outcome, tries=int(order.began))

    def _give_up(self, order: Order) -> None:
        """Close an order that never ends; its node stays busy until the hand comes back."""
        if self._is_open(order):
            outcome = Outcome.unknown(Code.TIMEOUT)
            self._outbox.result(order.id, order.node, order.op, outcome, tries=int(order.began))

    def _is_open(self, order: Order) -> bool:
        verdict = self._journal.find(order.id)
        return verdict is not None and verdict.result is None

    def _answer_again(self, command_id: str) -> bool:
        verdict = self._journal.find(command_id)
        if verdict is None:
            return False
        if verdict.result is None:
            self._answers.accepted(verdict.node, Accepted(id=command_id))
        else:
            self._answers.again(verdict.node, verdict.result)
        return True

    def _refuse_forged(self, command_id: str | None, node: str, code: Code, reason: str = "") -> None:
        """Refuse what the hub did not sign; an id that already has a verdict keeps it and gets no other answer."""
        self._answers.alert("refused-command", f"{node}: {code}")
        now_ms = boot_ms()
        if len(self._forged_at) == _MOST_FORGED and now_ms - self._forged_at[0] < _FORGED_WITHIN_MS:
            return
        self._forged_at.append(now_ms)
        log.warning("refused a command for %s: %s %s", node, code, reason)
        if command_id is not None and self._journal.find(command_id) is None:
            self._outbox.result(command_id, node, "", Outcome(ResultState.REJECTED, code))


def _fields_of(payload: bytes) -> dict[str, JsonValue]:
    """Return the fields of a message of the wrong shape, as far as it has any."""
    try:
        found = json.loads(payload) if len(payload) <= MAX_PAYLOAD_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _id_in(fields: dict[str, JsonValue]) -> str | None:
    found = fields.get("id")
    return found if isinstance(found, str) and re.match(ULID_PATTERN, found) else None
