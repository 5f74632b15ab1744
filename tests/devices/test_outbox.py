"""Events and results that are too large, or no JSON, are cut honestly, numbered like all others, and block nothing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.agent.clock import WallClock
from devices.agent.device import Outcome
from devices.agent.journal import Journal
from devices.agent.outbox import DROPPED, Outbox, with_data
from devices.protocol.ids import new_ulid
from devices.protocol.messages import Event, Result, ResultState

EMPTY = Event(event=f"{'0' * 16}/1/1", node="n" * 64, type="t" * 40, cause="c" * 64, at_ms=2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=3000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)


class Line:
    """What reached the broker, as it was sent; `is_up` False: there is none."""

    def __init__(self):
        self.sent = []
        self.is_up = True

    def __call__(self, _node, message):
        if self.is_up:
            self.sent.append(json.loads(message.encode()))
        return self.is_up

    def data(self):
        return [message["data"] for message in self.sent]


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def outbox(journal, line):
    return Outbox(journal, None, line, WallClock())


def numbers(line):
    return [message.get("seq") or int(message["event"].split("/")[2]) for message in line.sent]


def test_what_does_not_fit_is_left_out_and_named_and_the_next_ones_go_out(outbox, line):
    outbox.event("slot-01", "vended", data={"order": "vend-1", "stock": 3, "trace": "x" * 5000, "log": "y" * 4000})
    outbox.event("slot-01", "vended", data={"order": "vend-2", "stock": 2})

    assert line.data() == [
        {"order": "vend-1", "stock": 3, DROPPED: "log, trace"},
        {"order": "vend-2", "stock": 2},
    ]
    assert numbers(line) == [1, 2]


def test_a_result_is_cut_in_the_same_way(outbox, journal, line):
    number = new_ulid()
    outcome = Outcome(ResultState.FAILED, "c" * 50, {"trace": 17, "slip": "ü" * 2500})
    outbox.result(number, "terminal", "charge", outcome, tries=1)
    outbox.event("terminal", "x")

    assert (line.sent[0]["code"], line.data()[0]) == ("c" * 40, {"trace": 17, DROPPED: "slip"})
    assert journal.find(number).result.data == {"trace": 17, DROPPED: "slip"}
    assert numbers(line) == [1, 2]


def test_what_is_no_json_is_left_out(outbox, line):
    outbox.event("slot-01", "jam", data={"raw": b"\x00", "text": "\ud800", "slot": 1})

    assert line.data() == [{"slot": 1, DROPPED: "raw, text"}]


def test_messages_that_an_earlier_version_stored_block_nothing(journal, line):
    for seq in (1, 2):
        event = EMPTY.model_copy(update={"event": f"{journal.epoch}/1/{seq}", "data": {"n": seq, "x": "x" * 9000}})
        journal.add_event(seq, "n", event.model_dump_json())
    result = Result(id=new_ulid(), state=ResultState.DONE, epoch=journal.epoch, boot=1, seq=3, data={"x": "x" * 9000})
    journal.finish(result, "n", "open")
    outbox = Outbox(journal, None, line, WallClock())

    outbox.connected()
    outbox.event("n", "x")

    assert numbers(line) == [1, 2, 3, 4]
    assert line.data()[:3] == [{"n": 1, DROPPED: "x"}, {"n": 2, DROPPED: "x"}, {DROPPED: "x"}]


def test_a_message_that_just_fits_goes_out_whole_however_old_it_gets(outbox, line, monkeypatch):
    line.is_up = False
    outbox.event("slot-01", "audit", data={"content": "x" * 3850})
    monkeypatch.setattr("devices.agent.outbox.boot_ms", lambda: 2**53 - 1)
    line.is_up = True

    outbox.connected()

    assert line.data() == [{"content": "x" * 3850}]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=300), VALUES, max_size=40))
def test_any_data_fits_and_what_is_kept_is_as_it_was(data):
    found = with_data(EMPTY, data)

    found.model_copy(update={"age_ms": 2**53}).encode()
    kept = {name: value for name, value in found.data.items() if name != DROPPED}
    assert all(data[name] == value for name, value in kept.items())
    assert (DROPPED in found.data) or kept == data
