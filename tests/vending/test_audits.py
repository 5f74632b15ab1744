"""A machine's own counters against what was sold here: what agrees, what differs, and what is no comparison."""

import base64
import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select

from devices.simulators import evadts as writer
from devices.simulators.evadts import Counter
from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.audit import AuditEntry
from shop_hub.fleet.models import CommandState
from shop_hub.vending import alarms, audits, comparing
from shop_hub.vending.comparing import Start, Verdict
from shop_hub.vending.errors import AuditDamagedError
from shop_hub.vending.models import AuditSource, MachineAudit, VendingMachine
from tests.machines import Visitor

DONE, UNKNOWN = CommandState.DONE, CommandState.UNKNOWN


@pytest.fixture
def office(village, app, client, site):
    assert village.machine_id
    return Visitor(app, client, site.id).become(Role.OPERATOR)


def content(serial="SN-1", moment="20200101*0000", **counters):
    rows = [(name.removeprefix("s"), counter) for name, counter in counters.items()]
    return writer.write(rows, serial=serial, moment=moment)


def take(village, raw, *, minutes=0, read_at=None):
    """Take a reading `minutes` from now."""
    with clock.shifted(timedelta(minutes=minutes)), village.session() as session:
        machine = session.scalars(select(VendingMachine)).one()
        found = audits.take(
            session, machine, raw, source=AuditSource.UPLOAD, actor="operator:1", read_at=read_at or clock.now()
        )
        return found.audit.public_id, found.is_new


def compared(village, taken):
    with village.database.reading() as session:
        return comparing.compare(session, audits.one(session, village.site.id, taken[0]))


def verdicts(found):
    return {row.selection: (row.verdict, row.difference) for row in found.rows}


def sell(village, number, *, state=DONE):
    vend = village.buy(number)
    village.result(village.command(), state)
    return vend


def test_the_first_reading_has_nothing_to_be_compared_with(village):
    sell(village, 1)
    found = compared(village, take(village, content(s1=Counter(144, cashless=500))))
    assert (found.start, found.rows, found.since) == (Start.FIRST, (), None)


def test_slots_that_agree_differ_and_are_unknown(village):
    take(village, content(s1=Counter(144, cashless=10), s2=Counter(144, cashless=5), s3=Counter(100)))
    for number in (1, 1, 2):
        sell(village, number)
    after = content(
        s1=Counter(144, cashless=12), s2=Counter(144, cashless=7), s3=Counter(100, free=2), s77=Counter(50, cash=1)
    )
    found = compared(village, take(village, after, minutes=1))
    assert verdicts(found) == {
        "1": (Verdict.AGREES, 0),
        "2": (Verdict.MACHINE_MORE, 1),
        "3": (Verdict.AGREES, 0),
        "77": (Verdict.NO_SLOT, 0),
    }
    assert (found.differing, found.cash_vends, found.cash_cents) == (2, 1, 50)
    assert [row.ours.cents for row in found.rows] == [2 * 144, 124, 0, 0]
    assert [row.free for row in found.rows] == [0, 0, 2, 0]


def test_pieces_paid_with_coins_are_no_difference(village):
    take(village, content(s1=Counter(144, cash=3, cashless=4)))
    sell(village, 1)
    found = compared(village, take(village, content(s1=Counter(144, cash=8, cashless=5)), minutes=1))
    assert verdicts(found) == {"1": (Verdict.AGREES, 0)}
    assert (found.rows[0].cash_vends, found.rows[0].cash_cents, found.cash_cents) == (5, 720, 720)


def test_fewer_pieces_than_were_sold_need_a_look(village):
    take(village, content(s1=Counter(144, cashless=4)))
    sell(village, 1)
    found = compared(village, take(village, content(s1=Counter(144, cashless=4), s2=Counter(1)), minutes=1))
    assert verdicts(found)["1"] == (Verdict.MACHINE_LESS, -1)


def test_a_purchase_in_doubt_that_dropped_is_explained(village):
    take(village, content(s1=Counter(144, cashless=4)))
    sell(village, 1, state=UNKNOWN)
    village.jobs(62)
    found = compared(village, take(village, content(s1=Counter(144, cashless=5)), minutes=2))
    assert verdicts(found) == {"1": (Verdict.DOUBTS_DROPPED, 1)}
    assert (found.rows[0].ours.in_doubt, found.differing) == (1, 0)


def test_another_price_in_the_machine_is_said(village):
    take(village, content(s1=Counter(150, cashless=4)))
    sell(village, 1)
    found = compared(village, take(village, content(s1=Counter(150, cashless=5)), minutes=1))
    assert verdicts(found) == {"1": (Verdict.PRICE, 0)}


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        (content(s1=Counter(144, cashless=1)), Start.COUNTERS_RESET),
        (content(serial="SN-2", s1=Counter(144, cashless=99)), Start.OTHER_MACHINE),
    ],
)
def test_new_counters_never_make_negative_sales(village, raw, start):
    take(village, content(s1=Counter(144, cashless=40)))
    sell(village, 1)
    found = compared(village, take(village, raw, minutes=1))
    assert (found.start, found.rows, found.cash_cents) == (start, (), None)


def test_one_slot_whose_counter_began_anew_is_left_out(village):
    take(village, content(s1=Counter(144, cashless=40), s2=Counter(144, cashless=1)))
    sell(village, 2)
    found = compared(
        village, take(village, content(s1=Counter(144, cashless=3), s2=Counter(144, cashless=50)), minutes=1)
    )
    assert found.rows[0].verdict is Verdict.RESET
    assert found.rows[0].vends is None


def test_a_slot_that_the_machine_does_not_count_is_said(village):
    take(village, content(s2=Counter(144)))
    sell(village, 1)
    found = compared(village, take(village, content(s2=Counter(144, cash=1)), minutes=1))
    assert verdicts(found)["1"][0] is Verdict.NOT_COUNTED


def test_readings_are_compared_in_the_order_in_which_they_were_made(village):
    now = clock.now()
    late = take(village, content(s1=Counter(144, cashless=9)), read_at=now - timedelta(hours=1))
    early = take(village, content(s1=Counter(144, cashless=4)), read_at=now - timedelta(hours=3))
    assert compared(village, early).start is Start.FIRST
    assert verdicts(compared(village, late)) == {"1": (Verdict.MACHINE_MORE, 5)}


def statements(village, work):
    """Return how many statements a piece of work takes, and what it returns."""
    seen = []

    def count(*arguments):
        seen.append(arguments[2])

    event.listen(village.database.engine, "before_cursor_execute", count)
    try:
        found = work()
        return len(seen), found
    finally:
        event.remove(village.database.engine, "before_cursor_execute", count)


def test_the_list_of_readings_says_the_same_with_few_statements(village):
    now, takings = clock.now(), []
    for hours, count in ((5, 4), (4, 5), (3, 2), (2, 4), (1, 4)):
        raw = content(moment=f"20200101*0{hours}00", s1=Counter(144, cashless=count))
        takings.append(take(village, raw, read_at=now - timedelta(hours=hours)))
    sell(village, 1)
    takings.append(take(village, content(s1=Counter(144, cashless=6)), minutes=1))
    with village.database.reading() as session:
        machine_id = session.scalars(select(VendingMachine.id)).one()
        few, _ = statements(village, lambda: comparing.history(session, machine_id, 1))
        session.expunge_all()
        many, found = statements(village, lambda: comparing.history(session, machine_id, 24))
        assert (few, len(comparing.history(session, machine_id, 2))) == (many, 2)
    assert [(one.start, one.differing) for one in found] == [
        (Start.NONE, 1),
        (Start.NONE, 0),
        (Start.NONE, 1),
        (Start.COUNTERS_RESET, 0),
        (Start.NONE, 1),
        (Start.FIRST, 0),
    ]
    for one, taken in zip(found, reversed(takings), strict=True):
        again = compared(village, taken)
        assert (again.rows, again.start, again.since) == (one.rows, one.start, one.since)


def test_the_same_file_twice_is_one_reading(village):
    raw = content(s1=Counter(144))
    first = take(village, raw)
    assert take(village, raw, minutes=5) == (first[0], False)


def test_the_machine_s_clock_counts_if_it_can_be_believed(village):
    with village.session() as session:
        machine = session.scalars(select(VendingMachine)).one()
        now = clock.now()
        local = now.astimezone(ZoneInfo("Europe/Berlin"))
        good = content(moment=f"{local - timedelta(hours=3):%Y%m%d*%H%M}", s1=Counter(144))
        wrong = content(moment="20100119*2301", s1=Counter(144, cash=1))
        read = [audits.take(session, machine, raw, source=AuditSource.UPLOAD, actor="x").audit for raw in (good, wrong)]
        assert abs(read[0].read_at - (now - timedelta(hours=3))) < timedelta(minutes=2)
        assert abs(read[1].read_at - now) < timedelta(minutes=1)
        assert [[code for code, _ in row.doubts] for row in read] == [[], ["clock"]]


def test_somebody_is_told_of_warm_goods_and_of_counters_that_differ(village):
    def told():
        with village.database.reading() as session:
            return [one.text for one in alarms.conditions(session, village.site.id)]

    assert told() == []
    village.publish("slot-01/state", "warm")
    take(village, content(s1=Counter(144)))
    assert told() == ["%(machine)s: cooled goods got too warm, their slots sell no more"]
    village.publish("slot-01/state", "ok")
    take(village, content(s1=Counter(144, cashless=1)), minutes=1)
    assert told() == ["%(machine)s: its counters and our sales differ"]
    take(village, content(s1=Counter(144, cashless=1, free=1)), minutes=2)
    assert told() == []


# From the device


def send_file(village, raw, *, order=None, size=500, spoil=False):
    pieces = [raw[begin : begin + size] for begin in range(0, len(raw), size)]
    parts = [
        {"file": "f1", "part": number, "parts": len(pieces), "content": base64.b64encode(piece).decode()}
        for number, piece in enumerate(pieces, start=1)
    ]
    if spoil:
        parts[0]["content"] = "?" * 8
    for index in order or range(len(parts)):
        village.tell("unit", "audit", **parts[index])


def readings(village):
    with village.database.reading() as session:
        return list(session.scalars(select(MachineAudit)))


def test_a_file_from_the_device_is_put_together_from_its_parts(village):
    raw = content(**{f"s{number}": Counter(144, cashless=number) for number in range(1, 12)})
    size = len(raw) // 4 + 1
    send_file(village, raw, order=[1, 0, 0, 3, 2, 3], size=size)
    (found,) = readings(village)
    assert (found.source, found.total_vends, found.serial) == (AuditSource.DEVICE, 66, "SN-1")
    assert village.deviations() == []


def test_a_file_whose_last_part_is_missing_waits(village):
    send_file(village, content(s1=Counter(144)), order=[0], size=100)
    assert readings(village) == []


@pytest.mark.parametrize("spoil", [True, False])
def test_a_bad_file_from_the_device_is_refused_and_noted(village, spoil):
    send_file(village, content(s1=Counter(144)).replace(b"PA2*0", b"PA2*9"), spoil=spoil)
    assert readings(village) == []
    with village.database.reading() as session:
        noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "vending-audit-refused")).all()
    assert len(noted) == 1


def test_strange_parts_do_nothing(village):
    for data in (
        {"vended": 3},
        {"file": 3, "part": 1, "parts": 1, "content": ""},
        {"file": "f", "part": 1, "parts": 0, "content": ""},
        {"file": "f", "part": 1, "parts": 10_000, "content": ""},
        {"file": "f", "part": "1", "parts": 1, "content": ["x"]},
        {"file": "f", "part": 1, "parts": True, "content": "x"},
    ):
        village.tell("unit", "audit", **data)
    assert readings(village) == []


# Pages


def upload(office, village, raw, status=303, **fields):
    page = f"/office/vending/{village.machine_id}/audits"
    return office.post(page, page, status=status, file=(io.BytesIO(raw), "machine.eva_dts"), **fields)


def test_the_office_reads_in_plain_words_what_differs(village, office):
    before = (clock.now() - timedelta(minutes=3)).astimezone(ZoneInfo("Europe/Berlin"))
    page = upload(office, village, content(s1=Counter(144, cashless=3)), read_at=f"{before:%Y-%m-%dT%H:%M}")
    assert "This is the first reading." in page
    sell(village, 1)
    page = upload(office, village, content(s1=Counter(144, cashless=3, cash=2)))
    assert "1 slot differs." in page
    assert "Fewer pieces came out than were sold here. Please look into the slot." in page
    assert "clock is wrong: it says 2020-01-01 00:00." in page
    assert "€2.88" in page
    listed = office.get(f"/office/vending/{village.machine_id}/audits")
    assert listed.count("/office/vending/audits/") == 2
    assert (
        upload(office, village, content(s1=Counter(144, cashless=3, cash=2))).count("This file was here already.") == 1
    )


def test_a_bad_file_is_refused_in_a_sentence(village, office):
    assert "damaged" in upload(office, village, content(s1=Counter(144)).replace(b"144", b"145"), status=422)
    assert "no audit file" in upload(office, village, b"\x89PNG", status=422)
    assert "too large" in upload(office, village, b"x" * 300_000, status=422)
    assert "choose an audit file" in upload(office, village, b"", status=422)
    upload(office, village, content(s1=Counter(144)), status=422, read_at="tomorrow")
    upload(office, village, content(s1=Counter(144)), status=422, read_at="2199-01-01T00:00")
    assert readings(village) == []


def test_volunteers_read_counters_and_only_operators_fetch_the_file(village, office):
    raw = content(s1=Counter(144))
    office.become(Role.VOLUNTEER)
    page = upload(office, village, raw)
    path = f"/office/vending/audits/{readings(village)[0].public_id}"
    assert "The file" in page
    office.get(f"{path}/file", status=403)
    office.become(Role.OPERATOR)
    assert office.client.get(f"{path}/file").data == raw
    office.get("/office/vending/audits/01890000-0000-7000-8000-000000000000", status=404)


def test_a_file_with_a_wrong_check_sum_leaves_nothing_behind(village):
    with pytest.raises(AuditDamagedError):
        take(village, content(s1=Counter(144)).replace(b"144", b"145"))
    assert readings(village) == []
