"""What a terminal's answer means for the money: what is not certainly harmless counts as unknown."""

import pytest

from shop_hub.fleet.models import CommandState, DeviceCommand
from shop_hub.payments.answers import Meaning, understand


def answer(op: str, state: CommandState, code: str, **facts: object) -> Meaning:
    return understand(DeviceCommand(op=op, state=state, code=code, result=facts)).meaning


@pytest.mark.parametrize(
    ("state", "code", "outcome", "meaning"),
    [
        (CommandState.DONE, "", "approved", Meaning.APPROVED),
        (CommandState.DONE, "", "something new", Meaning.UNKNOWN),
        (CommandState.FAILED, "declined", "declined", Meaning.DECLINED),
        (CommandState.FAILED, "aborted", "aborted", Meaning.CANCELLED),
        (CommandState.FAILED, "offline", "", Meaning.DECLINED),
        (CommandState.FAILED, "fault", "", Meaning.DECLINED),
        (CommandState.FAILED, "a word of another driver", "", Meaning.UNKNOWN),
        (CommandState.REJECTED, "bad_mac", "", Meaning.DECLINED),
        (CommandState.EXPIRED, "", "", Meaning.DECLINED),
        (CommandState.UNKNOWN, "no_answer", "unknown", Meaning.UNKNOWN),
        (CommandState.PARTIAL, "", "", Meaning.UNKNOWN),
    ],
)
def test_charge(state: CommandState, code: str, outcome: str, meaning: Meaning) -> None:
    assert answer("charge", state, code, outcome=outcome) is meaning


@pytest.mark.parametrize(
    ("state", "outcome", "meaning"),
    [
        (CommandState.DONE, "approved", Meaning.APPROVED),
        (CommandState.DONE, "none", Meaning.DECLINED),
        (CommandState.DONE, "aborted", Meaning.CANCELLED),
        (CommandState.DONE, "reversed", Meaning.REVERSED),
        (CommandState.DONE, "unknown", Meaning.UNKNOWN),
        (CommandState.FAILED, "approved", Meaning.NO_NEWS),
        (CommandState.EXPIRED, "", Meaning.NO_NEWS),
    ],
)
def test_status(state: CommandState, outcome: str, meaning: Meaning) -> None:
    assert answer("status", state, "", outcome=outcome) is meaning


@pytest.mark.parametrize(
    ("state", "code", "outcome", "meaning"),
    [
        (CommandState.DONE, "", "reversed", Meaning.REVERSED),
        (CommandState.DONE, "", "approved", Meaning.REFUSED),
        (CommandState.FAILED, "refused", "", Meaning.REFUSED),
        (CommandState.DONE, "", "none", Meaning.DECLINED),
        (CommandState.DONE, "", "unknown", Meaning.UNKNOWN),
        (CommandState.FAILED, "not_found", "", Meaning.DECLINED),
        (CommandState.REJECTED, "not_found", "", Meaning.DECLINED),
        (CommandState.FAILED, "not_reversible", "declined", Meaning.DECLINED),
        (CommandState.FAILED, "not_reversible", "aborted", Meaning.DECLINED),
        (CommandState.FAILED, "offline", "", Meaning.NO_NEWS),
        (CommandState.REJECTED, "unresolved", "", Meaning.NO_NEWS),
        (CommandState.EXPIRED, "", "", Meaning.NO_NEWS),
        (CommandState.UNKNOWN, "no_answer", "unknown", Meaning.UNKNOWN),
    ],
)
def test_reverse(state: CommandState, code: str, outcome: str, meaning: Meaning) -> None:
    assert answer("reverse", state, code, outcome=outcome) is meaning


def test_the_terminals_own_numbers_are_kept() -> None:
    command = DeviceCommand(op="charge", state=CommandState.DONE, code="", result={"outcome": "approved", "trace": 12})
    assert (understand(command).trace, understand(command).receipt) == ("12", "")
