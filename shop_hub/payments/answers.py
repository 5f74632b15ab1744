"""What a terminal's final answer to `charge`, `status` and `reverse` means for the money. Pure functions."""

from dataclasses import dataclass
from enum import StrEnum

from shop_hub.fleet.models import CommandState, DeviceCommand

CHARGE = "charge"
STATUS = "status"
REVERSE = "reverse"


class Meaning(StrEnum):
    """What is certain now."""

    APPROVED = "approved"
    DECLINED = "declined"
    """The terminal knows of nothing taken: never was, or so long ago that it has forgotten the payment."""
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    """The terminal has given the money back."""
    REFUSED = "refused"
    """The terminal will not take the payment back: the money stays taken."""
    UNKNOWN = "unknown"
    NO_NEWS = "no-news"
    """The question itself failed; ask again."""


CERTAINLY_NOTHING_TAKEN = frozenset({"declined", "offline", "busy", "refused", "bad_arguments", "not_found", "fault"})
_NOT_ACTED = (CommandState.REJECTED, CommandState.EXPIRED)
_BY_OUTCOME = {
    "approved": Meaning.APPROVED,
    "declined": Meaning.DECLINED,
    "aborted": Meaning.CANCELLED,
    "none": Meaning.DECLINED,
    "reversed": Meaning.REVERSED,
    "unknown": Meaning.UNKNOWN,
}


@dataclass(frozen=True)
class Answer:
    """A meaning, with the reason and the terminal's own numbers."""

    meaning: Meaning
    code: str
    trace: str
    receipt: str


def understand(command: DeviceCommand) -> Answer:
    """Return what a finished command tells. What is not certainly harmless counts as unknown."""
    meaning = {CHARGE: _charge, STATUS: _status, REVERSE: _reverse}[command.op](command)
    facts = command.result
    return Answer(meaning, command.code, str(facts.get("trace", "")), str(facts.get("receipt", "")))


def _charge(command: DeviceCommand) -> Meaning:
    if command.state is CommandState.DONE:
        return _BY_OUTCOME.get(str(command.result.get("outcome", "approved")), Meaning.UNKNOWN)
    if command.state in _NOT_ACTED:
        return Meaning.DECLINED
    if command.state is CommandState.FAILED and command.code == "aborted":
        return Meaning.CANCELLED
    if command.state is CommandState.FAILED and command.code in CERTAINLY_NOTHING_TAKEN:
        return Meaning.DECLINED
    return Meaning.UNKNOWN


def _status(command: DeviceCommand) -> Meaning:
    if command.state is not CommandState.DONE:
        return Meaning.NO_NEWS
    return _BY_OUTCOME.get(str(command.result.get("outcome")), Meaning.UNKNOWN)


def _reverse(command: DeviceCommand) -> Meaning:
    is_done = command.state is CommandState.DONE
    outcome = str(command.result.get("outcome", "reversed" if is_done else ""))
    if outcome == "reversed":
        return Meaning.REVERSED
    if command.code == "not_found" or outcome in {"declined", "aborted", "none"}:
        return Meaning.DECLINED  # it knows of nothing taken, but gave nothing back either
    if is_done:
        return Meaning.REFUSED if outcome == "approved" else Meaning.UNKNOWN
    if command.state is CommandState.FAILED and command.code == "refused":
        return Meaning.REFUSED
    if command.state in _NOT_ACTED or command.code in {"offline", "busy"}:
        return Meaning.NO_NEWS
    return Meaning.UNKNOWN
