"""ZVT bytes on both sides, against the frames printed in the design, and a conversation over TCP."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.device import NoAnswerError
from devices.simulators import zvt_bytes
from devices.simulators.terminal import SimulatedTerminal
from devices.simulators.world import ControlError, StateFile
from devices.terminal import zvt
from devices.terminal.driver import (
    PaymentOutcome,
    TerminalBusyError,
    TerminalLostError,
    TerminalRefusedError,
    Transaction,
)
from devices.terminal.driver_zvt import ZvtConfig, ZvtTerminal

REGISTER = bytes.fromhex("06 00 04 000000 86")
AUTHORISE_378 = bytes.fromhex("06 01 0C 04 000000000378 49 0978 06 00")
DECLINED = bytes.fromhex("04 0F 07 27 05 29 52500001")


def test_the_register_writes_the_printed_frames():
    assert zvt.registration(0, 0x86).encode() == REGISTER
    assert zvt.authorisation(378).encode() == AUTHORISE_378
    assert bytes.fromhex("80 00 00") == zvt.POSITIVE
    assert zvt.reversal(0, 42).encode() == bytes.fromhex("06 30 06 000000 87 0042")
    assert zvt.repeat_receipt(0).encode() == bytes.fromhex("06 20 03 000000")
    assert zvt.status_enquiry(0).encode() == bytes.fromhex("05 01 03 000000")


def test_the_terminal_writes_the_printed_frames():
    assert bytes.fromhex("80 00 00") == zvt_bytes.ACKNOWLEDGED
    assert zvt_bytes.registered() == bytes.fromhex("06 0F 0A 19 00 29 52500001 49 0978")
    assert bytes.fromhex("04 FF 01 0A") == zvt_bytes.INSERT_CARD
    assert zvt_bytes.failed_status(0x05) == DECLINED
    assert zvt_bytes.aborted(0x05) == bytes.fromhex("06 1E 01 05")
    assert bytes.fromhex("06 0F 00") == zvt_bytes.DONE
    assert bytes.fromhex("84 9C 00") == zvt_bytes.BUSY
    assert zvt_bytes.paid_status(378, 7, 9) == bytes.fromhex(
        "04 0F 2C 27 00 04 000000000378 49 0978 0B 000007 0C 120000 0D 0101 29 52500001 87 0009 8A 46"
        " 8B F0F8 6769726F63617264"
    )


def test_the_register_reads_what_terminals_write():
    message, rest = zvt.split(DECLINED + b"\x06")
    assert rest == b"\x06"
    assert message is not None
    assert (message.code, zvt.fields(message.data)) == (zvt.STATUS_INFORMATION, {0x27: b"\x05", 0x29: b"RP\x00\x01"})
    assert zvt.split(DECLINED[:-1]) == (None, DECLINED[:-1])


def test_long_messages_have_a_three_byte_length():
    long = zvt.Apdu(zvt.STATUS_INFORMATION, b"\x00" * 300)
    assert long.encode()[:5] == bytes.fromhex("04 0F FF 2C 01")
    assert zvt.split(long.encode() + b"\x80") == (long, b"\x80")
    assert zvt.split(long.encode()[:4]) == (None, long.encode()[:4])
    assert zvt_bytes.message("040F", b"\x00" * 300)[:5] == bytes.fromhex("04 0F FF 2C 01")


def test_an_unknown_bitmap_ends_the_reading_and_what_came_before_counts():
    data = bytes.fromhex("27 00 0B 000123 87 0045 00 11 22")
    assert zvt.fields(data) == {0x27: b"\0", 0x0B: b"\0\x01\x23", 0x87: b"\0\x45"}


def test_containers_and_texts_are_measured_by_their_own_lengths():
    data = bytes.fromhex("06 03 1F0000 06 81 02 AABB 3C F0F0F3 414243 8B F0F2 4142 27 00")
    found = zvt.fields(data)
    assert (found[0x3C], found[0x8B], found[0x27]) == (b"ABC", b"AB", b"\0")


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_fail(data):
    fields = zvt.fields(data)
    assert sum(len(content) + 1 for content in fields.values()) <= len(data)
    zvt.split(data)


@given(st.integers(min_value=0, max_value=999_999_999_999))
def test_decimal_digits_survive_both_ways(number):
    assert zvt.number(zvt.bcd(number, 6)) == number
    assert zvt_bytes.digits(number, 12) == zvt.bcd(number, 6)


def test_a_number_that_does_not_fit_is_refused():
    for number in (-1, 100):
        with pytest.raises(ValueError, match="in 1 bytes"):
            zvt.bcd(number, 1)
    with pytest.raises(zvt.ZvtError):
        zvt.number(b"\x1f")


# Over TCP, terminal against register


@pytest.fixture
def machine():
    made = SimulatedTerminal(file=StateFile(None), card_after_s=0.02, process_s=0.01)
    yield made
    made.close()


@pytest.fixture
def register(machine):
    return ZvtTerminal(ZvtConfig("127.0.0.1", machine.port, answer_s=1.0, customer_s=5.0))


def ignore(_state):
    return None


def test_a_payment_is_approved(machine, register):
    heard = []
    paid = register.authorise(378, heard.append)
    assert paid == Transaction(PaymentOutcome.APPROVED, 378, 1, 1, 0, "girocard")
    assert heard == ["insert-card", "processing"]
    assert machine.charged_cents == 378
    assert register.last() == paid
    assert register.is_idle()


def test_a_new_terminal_has_no_last_transaction(register):
    assert register.last() is None


@pytest.mark.parametrize(
    ("cents", "next_outcome", "expected"),
    [
        (305, "approve", Transaction(PaymentOutcome.DECLINED, result_code=0x05)),
        (300, "decline", Transaction(PaymentOutcome.DECLINED, result_code=0x05)),
        (300, "cancel", Transaction(PaymentOutcome.ABORTED, result_code=0x6C)),
    ],
)
def test_a_payment_that_fails_costs_nothing(machine, register, cents, next_outcome, expected):
    machine.next(next_outcome)
    assert register.authorise(cents, ignore) == expected
    assert machine.charged_cents == 0


def test_the_customer_may_press_stop(machine, register):
    machine.card_after(0)
    threading.Timer(0.2, machine.verbs()["press_stop"]).start()
    assert register.authorise(100, ignore).outcome is PaymentOutcome.ABORTED


def test_a_waiting_terminal_is_busy_for_others(machine, register):
    machine.card_after(0)
    done, waiting = [], threading.Event()
    thread = threading.Thread(target=lambda: done.append(register.authorise(100, lambda _: waiting.set())))
    thread.start()
    assert waiting.wait(5)
    assert not register.is_idle()
    with pytest.raises(TerminalBusyError):
        register.authorise(100, ignore)
    machine.verbs()["present_card"]()
    thread.join(5)
    assert done[0].outcome is PaymentOutcome.APPROVED
    assert machine.charged_cents == 100


@pytest.mark.parametrize(("outcome", "error"), [("busy", TerminalBusyError), ("refuse", TerminalRefusedError)])
def test_a_refused_order_was_never_begun(machine, register, outcome, error):
    machine.next(outcome)
    with pytest.raises(error):
        register.authorise(100, ignore)
    assert machine.charged_cents == 0


@pytest.mark.parametrize(
    ("outcome", "seen_trace", "charged"), [("drop_early", None, 0), ("drop_before", None, 100), ("drop_after", 1, 100)]
)
def test_a_broken_connection_is_an_unknown_end(machine, register, outcome, seen_trace, charged):
    machine.next(outcome)
    with pytest.raises(TerminalLostError) as lost:
        register.authorise(100, ignore)
    assert (lost.value.seen.trace if lost.value.seen else None) == seen_trace
    assert machine.charged_cents == charged


def test_a_payment_is_reversed_once(machine, register):
    paid = register.authorise(100, ignore)
    assert register.reverse(paid.receipt).outcome is PaymentOutcome.APPROVED
    assert machine.charged_cents == 0
    assert register.reverse(paid.receipt).result_code == 0xB5
    assert register.reverse(999).result_code == 0xB5


def test_no_terminal_at_all_is_no_answer():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = ZvtTerminal(ZvtConfig("127.0.0.1", unused.getsockname()[1]))
        for ask in (nobody.is_idle, nobody.last, lambda: nobody.authorise(1, ignore), lambda: nobody.reverse(1)):
            with pytest.raises(NoAnswerError):
                ask()


@pytest.fixture
def impostor():
    """Return a maker of registers that talk to something that answers their orders with these bytes."""
    with ThreadPoolExecutor() as hands, socket.create_server(("127.0.0.1", 0)) as server:

        def serve(answers):
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                wire = zvt_bytes.Wire(client)
                for answer in answers:
                    wire.read()
                    wire.write(answer)
                while True:
                    wire.read()

        def make(*answers):
            hands.submit(serve, answers)
            return ZvtTerminal(ZvtConfig("127.0.0.1", server.getsockname()[1], answer_s=0.5, customer_s=1.0))

        yield make


@pytest.mark.parametrize("answer", [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x80\x00\x00\x06\x0f"])
def test_garbage_instead_of_zvt_is_no_answer(impostor, answer):
    with pytest.raises(NoAnswerError):
        impostor(answer).authorise(100, ignore)


REGISTERED = (zvt.POSITIVE + bytes.fromhex("06 0F 00"), b"")


@pytest.mark.parametrize("frames", ["06 0F 00", "04 0F 06 27 00 0B FFFFFF 06 0F 00"])
def test_a_completion_without_a_readable_result_is_an_unknown_end(impostor, frames):
    with pytest.raises(TerminalLostError):
        impostor(*REGISTERED, zvt.POSITIVE + bytes.fromhex(frames)).authorise(100, ignore)


def test_a_sparing_terminal_that_says_only_success_is_believed(impostor):
    register = impostor(*REGISTERED, zvt.POSITIVE + bytes.fromhex("04 0F 02 27 00 06 0F 00"))
    assert register.authorise(100, ignore) == Transaction(PaymentOutcome.APPROVED)


def test_the_terminal_keeps_its_numbers_over_a_power_cut(tmp_path):
    file = StateFile(tmp_path / "terminal.json")
    first = SimulatedTerminal(file=file, card_after_s=0.02, process_s=0.01)
    paid = ZvtTerminal(ZvtConfig("127.0.0.1", first.port)).authorise(100, ignore)
    first.close()
    second = SimulatedTerminal(file=file, card_after_s=0.02, process_s=0.01)
    assert ZvtTerminal(ZvtConfig("127.0.0.1", second.port)).last() == paid
    second.close()


def test_an_unknown_outcome_cannot_be_ordered(machine):
    with pytest.raises(ControlError):
        machine.next("explode")
