"""A card reader on the MDB bus, line by line, against a reader on a pty that shares no code with the driver."""

import threading

import pytest

from devices.agent.device import NoAnswerError
from devices.protocol.messages import ResultState
from devices.simulators.mdb_reader import SimulatedMdbReader
from devices.terminal.driver import PaymentOutcome, TerminalLostError, TerminalRefusedError
from devices.terminal.driver_mdb import MdbReader, ReaderConfig
from devices.vending import mdb
from tests.devices.kit import eventually

QUICK = {"answer_s": 0.5, "customer_s": 2.0, "hold_s": 60.0}


class Bench:
    """A reader, the driver on its pty, and a customer who holds a card to it as soon as it asks."""

    def __init__(self, *, is_askable=True, details="", **timing):
        self.reader = SimulatedMdbReader(is_askable=is_askable, details=details)
        self.driver = MdbReader(ReaderConfig(self.reader.path, item=10, **(QUICK | timing)))
        self.progress = []

    def pay(self, cents=120, *, tap="approve"):
        customer = threading.Thread(target=self._tap, args=(tap,))
        customer.start()
        try:
            return self.driver.authorise(cents, self.progress.append)
        finally:
            customer.join()

    def _tap(self, how):
        if how:
            eventually(lambda: self.reader.look()["state"] == "VEND", 3)
            self.reader.tap(how)

    def money(self):
        return self.reader.captured, self.reader.reverted

    def close(self):
        self.driver.close()
        self.reader.close()


@pytest.fixture
def bench():
    made = []

    def make(**options):
        made.append(Bench(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


# The lines of the design and of the maker's examples, literally


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"d,STATUS,RESET", mdb.ReaderStatus(mdb.ReaderMode.RESET)),
        (b"d,STATUS,INIT,1", mdb.ReaderStatus(mdb.ReaderMode.INIT)),
        (b"d,STATUS,INIT,0", mdb.ReaderStatus(mdb.ReaderMode.INIT, is_askable=False)),
        (b"d,STATUS,INIT,1,#,3,1756,1,2,30,8", mdb.ReaderStatus(mdb.ReaderMode.INIT)),
        (b"d,STATUS,IDLE", mdb.ReaderStatus(mdb.ReaderMode.IDLE)),
        (b"d,STATUS,VEND", mdb.ReaderStatus(mdb.ReaderMode.VEND)),
        (b"d,STATUS,OFF", mdb.ReaderStatus(mdb.ReaderMode.OFF)),
        (b"d,STATUS,RESULT,1,1.20", mdb.Verdict(120)),
        (b"d,STATUS,RESULT,-1", mdb.Verdict(None)),
        (b'd,ERR,"-1"', mdb.Refusal('"-1"')),
        (b'D,ERR,"cashless master is on"', mdb.Refusal('"cashless master is on"')),
    ],
)
def test_lines_of_the_reader_are_understood(line, said):
    assert mdb.parse_reader(line) == said


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"d,STATUS,RESULT,1",
        b"d,STATUS,RESULT",
        b"d,STATUS,RESULT,2,1.20",
        b"d,STATUS,RESULT,1,-1.20",
        b"d,STATUS,RESULT,1,1.205",
        b"d,STATUS,RESULT,1,1.2d,STATUS,IDLE",
        b"d,STATUS,CREDIT,-1",
        b"d,STATUS,INIT",
        b"d,STATUS,INIT,2",
        b" d,STATUS,IDLE",
        b"c,STATUS,IDLE",
        b"d,STATUS,\xff",
    ],
)
def test_half_and_foreign_lines_mean_nothing(line):
    assert mdb.parse_reader(line) is None


def test_orders_are_those_of_the_design():
    assert (mdb.MASTER_ON, mdb.READER_ON, mdb.ask(120, 10)) == (b"D,2\r\n", b"D,READER,1\r\n", b"D,REQ,1.20,10\r\n")
    assert (mdb.CAPTURE, mdb.REVERT, mdb.CANCEL) == (b"D,END\r\n", b"D,END,-1\r\n", b"D,REQ,-1\r\n")


# The whole conversation


def test_money_is_taken_only_at_the_end(bench):
    one = bench(hold_s=0.3)

    paid = one.pay()

    assert (paid.outcome, paid.cents, paid.receipt) == (PaymentOutcome.APPROVED, 120, paid.trace)
    assert one.money() == ([], [])
    assert one.progress == ["insert-card"]
    eventually(lambda: one.money() == (["1.20"], []))
    assert one.reader.heard == ["D,0", "D,2", "D,READER,1", "D,REQ,1.20,10", "D,END"]


def test_a_sale_that_is_taken_back_in_time_costs_nothing(bench):
    one = bench()
    paid = one.pay()

    undone = one.driver.reverse(paid.receipt)

    assert (undone.outcome, undone.cents) == (PaymentOutcome.APPROVED, 120)
    assert one.money() == ([], ["1.20"])
    assert one.reader.heard[-1] == "D,END,-1"
    with pytest.raises(TerminalRefusedError):
        one.driver.reverse(paid.receipt)


def test_the_next_sale_takes_the_money_of_the_one_before(bench):
    one = bench()
    first = one.pay(120)
    second = one.pay(250)

    assert one.money() == (["1.20"], [])
    with pytest.raises(TerminalRefusedError):
        one.driver.reverse(first.receipt)
    one.driver.reverse(second.receipt)
    assert one.money() == (["1.20"], ["2.50"])


@pytest.mark.parametrize(
    ("tap", "outcome"),
    [
        ("decline", PaymentOutcome.DECLINED),
        ("cancel", PaymentOutcome.ABORTED),
        ("other-amount", PaymentOutcome.ABORTED),
    ],
)
def test_what_is_not_approved_costs_nothing(bench, tap, outcome):
    one = bench()

    assert one.pay(tap=tap).outcome is outcome

    assert one.reader.captured == []
    assert one.pay(tap="approve").outcome is PaymentOutcome.APPROVED


def test_without_a_card_the_request_is_taken_back(bench):
    one = bench(customer_s=0.2)

    assert one.pay(tap="").outcome is PaymentOutcome.ABORTED

    assert one.reader.heard[-1] == "D,REQ,-1"
    assert one.money() == ([], [])


def test_an_approval_that_crosses_the_taking_back_is_reverted(bench, monkeypatch):
    one = bench(customer_s=0.2)
    obey = one.reader._obey
    monkeypatch.setattr(one.reader, "_obey", lambda line: one.reader.tap() if line == "D,REQ,-1" else obey(line))

    assert one.pay(tap="").outcome is PaymentOutcome.ABORTED

    assert one.money() == ([], ["1.20"])


@pytest.mark.parametrize("tap", ["hang-up", "garble", "reset"])
def test_what_was_lost_is_unknown_and_nothing_later_proves_it(bench, tap):
    one = bench(customer_s=0.3)
    before = one.driver.last().trace

    with pytest.raises(TerminalLostError) as lost:
        one.pay(tap=tap)

    assert lost.value.seen is None
    assert one.driver.last().trace not in (None, before)
    assert one.driver.last().cents is None


def test_a_reader_that_falls_silent_while_money_is_given_back_leaves_a_doubt(bench):
    one = bench()
    paid = one.pay()
    one.reader.mute()

    with pytest.raises(TerminalLostError):
        one.driver.reverse(paid.receipt)

    assert one.driver.last().trace == paid.trace + 1
    with pytest.raises(TerminalRefusedError):
        one.driver.reverse(paid.receipt)


def test_another_life_of_the_driver_proves_nothing_about_the_first():
    first, second = (MdbReader(ReaderConfig("/dev/null")).last().trace for _ in range(2))
    assert first != second


def test_a_reader_that_restarts_or_comes_back_is_switched_on_again(bench):
    one = bench()
    assert one.driver.is_idle()
    one.reader.restart()
    assert one.driver.is_idle()
    assert one.pay().outcome is PaymentOutcome.APPROVED


@pytest.mark.parametrize("options", [{"is_askable": False}])
def test_a_reader_that_cannot_be_asked_first_is_not_used(bench, options):
    one = bench(**options)
    with pytest.raises(NoAnswerError):
        one.driver.is_idle()
    with pytest.raises(NoAnswerError):
        one.driver.authorise(120, one.progress.append)
    assert "D,REQ,1.20,10" not in one.reader.heard


def test_a_silent_or_missing_interface_is_no_answer(bench):
    one = bench()
    one.reader.mute()
    with pytest.raises(NoAnswerError):
        one.driver.is_idle()
    with pytest.raises(NoAnswerError):
        MdbReader(ReaderConfig("/dev/ttyNONE", answer_s=0.1)).authorise(120, print)


def test_newer_interfaces_tell_more_and_are_understood(bench):
    one = bench(details=",#,3,1978,1,2,30,8")
    assert one.pay().cents == 120


def test_the_hub_charges_a_reader_and_takes_the_sale_back(hub, villages):
    village = villages.start("terminal", terminal={"driver": "mdb", "card_after_s": 0.05})
    reader = village.twin("terminal")
    charge = hub.order("terminal", "terminal", "charge", cents=120, reference="sale-1")
    result = hub.result(charge.id)
    assert (result.state, result.data["outcome"]) == (ResultState.DONE, "approved")
    assert reader.captured == []

    reverse = hub.order("terminal", "terminal", "reverse", reference="sale-1")

    assert hub.result(reverse.id).data["outcome"] == "reversed"
    assert (reader.captured, reader.reverted) == ([], ["1.20"])
