"""The cash machine's public state: follows reports, doubts silence, gives nothing away."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from shop_hub.atm import listeners, queries, service
from shop_hub.atm.errors import MachineWatchedError
from shop_hub.atm.models import CashMachine, CashMachineChange, Service, Withdrawal
from shop_hub.core import clock
from shop_hub.core.events import bus
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind, Link

BERLIN = ZoneInfo("Europe/Berlin")
UNITS = [{"id": "1", "currency": "EUR", "denomination_bucket": "50", "replenishmentStatus": "low", "status": "ok"}]


def report(service="inService", withdrawal="ok", **more):
    return {
        "service": service,
        "device": "online",
        "cash": {"withdrawal": withdrawal, "deposit": "unknown"},
        "reason": "",
        "source": "simulator",
        "stale_after_s": 60,
        "units": UNITS,
    } | more


@pytest.fixture
def dispatcher():
    made = Dispatcher()
    listeners.register(made)
    return made


@pytest.fixture
def machine(database, site):
    with database.transaction() as session:
        device = Device(site_id=site.id, slug="geldautomat", kind=DeviceKind.ATM, name="Geldautomat", link=Link.READY)
        session.add(device)
        session.flush()
        return service.add_machine(
            session, site.id, service.NewCashMachine(bank="Bank", device_id=device.id, place="links")
        )


@pytest.fixture
def tell(database, dispatcher, machine):
    def send(value):
        with database.transaction() as session:
            device = session.get(Device, machine.device_id)
            dispatcher.property(session, device, "atm", "status", value)

    return send


@pytest.fixture
def link(database, dispatcher, machine):
    def change(to):
        with database.transaction() as session:
            device = session.get(Device, machine.device_id)
            device.link = to
            dispatcher.link(session, device)

    return change


def shown(database, site):
    with database.reading() as session:
        (view,) = queries.machines(session, site.id)
        return view.service, view.withdrawal


def since(database, site):
    with database.reading() as session:
        return queries.machines(session, site.id)[0].since


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (report(), (Service.IN_SERVICE, Withdrawal.OK)),
        (report(withdrawal="low"), (Service.IN_SERVICE, Withdrawal.LOW)),
        (report(withdrawal="empty"), (Service.IN_SERVICE, Withdrawal.NONE)),
        (report(withdrawal="inoperative"), (Service.IN_SERVICE, Withdrawal.NONE)),
        (report(withdrawal="unknown"), (Service.IN_SERVICE, None)),
        (report("supervisor"), (Service.MAINTENANCE, None)),
        (report("supervisor", device="hardwareError"), (Service.MAINTENANCE, None)),
        (report("outOfService"), (Service.OUT_OF_SERVICE, None)),
        (report(device="fraudAttempt"), (Service.OUT_OF_SERVICE, None)),
        (report(device="offline"), (Service.OUT_OF_SERVICE, None)),
        (report("unknown"), (Service.UNKNOWN, None)),
        (report("unknown", device="offline", reason="no-answer"), (Service.UNKNOWN, None)),
        ({"service": "fine"}, (Service.UNKNOWN, None)),
        ("garbage", (Service.UNKNOWN, None)),
        (None, (Service.UNKNOWN, None)),
    ],
)
def test_the_public_state_follows_the_report(database, site, tell, value, expected):
    tell(value)
    assert shown(database, site) == expected


@pytest.mark.usefixtures("machine")
def test_before_the_first_report_it_is_unknown(database, site):
    assert shown(database, site) == (Service.UNKNOWN, None)


def test_garbage_after_a_good_report_makes_it_unknown(database, site, tell):
    tell(report())
    tell({"service": 7})
    assert shown(database, site) == (Service.UNKNOWN, None)


def test_a_last_will_makes_it_unknown_at_once(database, site, tell, link):
    tell(report())
    link(Link.OFFLINE)
    assert shown(database, site) == (Service.UNKNOWN, None)
    link(Link.READY)
    assert shown(database, site) == (Service.IN_SERVICE, Withdrawal.OK)


def test_silence_becomes_unknown_for_whoever_reads_without_any_message(database, site, tell):
    tell(report())
    with clock.shifted(timedelta(seconds=59)):
        assert shown(database, site) == (Service.IN_SERVICE, Withdrawal.OK)
    with clock.shifted(timedelta(seconds=61)):
        assert shown(database, site) == (Service.UNKNOWN, None)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # on PostgreSQL events travel by NOTIFY
def test_the_watch_writes_silence_down_and_tells_screens_once(database, site, tell, machine):
    tell(report())
    with bus.listen() as heard, clock.shifted(timedelta(seconds=61)):
        for _ in range(3):
            with database.transaction() as session:
                service.look_at_all(session)
        events = [heard.get_nowait() for _ in range(heard.qsize())]
    assert events == [{"topic": "atm", "site": site.id}]
    with database.reading() as session:
        assert [row.service for row in queries.changes(session, machine.id)] == [Service.UNKNOWN, Service.IN_SERVICE]


def test_a_report_that_lay_at_the_broker_counts_from_when_it_was_observed(database, site, tell):
    old = clock.now() - timedelta(minutes=5)
    tell(report(observed_at=round(old.timestamp() * 1000)))
    assert shown(database, site) == (Service.UNKNOWN, None)


def test_a_device_clock_that_runs_ahead_does_not_keep_a_report_alive(database, site, tell):
    ahead = clock.now() + timedelta(days=1)
    tell(report(observed_at=round(ahead.timestamp() * 1000)))
    with clock.shifted(timedelta(seconds=61)):
        assert shown(database, site) == (Service.UNKNOWN, None)


def test_an_unchanged_report_writes_no_history_and_keeps_since(database, site, tell, machine):
    tell(report())
    first = since(database, site)
    with clock.shifted(timedelta(seconds=30)):
        tell(report())
        assert since(database, site) == first
    with database.reading() as session:
        assert len(queries.changes(session, machine.id)) == 1


def test_maintenance_has_no_since_and_leaves_no_trace_of_its_end(database, site, tell):
    tell(report())
    before = since(database, site)
    with clock.shifted(timedelta(hours=1)):
        tell(report("supervisor"))
        assert (shown(database, site), since(database, site)) == ((Service.MAINTENANCE, None), None)
    with clock.shifted(timedelta(hours=2)):
        tell(report())
        assert since(database, site) == before


def test_another_state_after_maintenance_has_no_since(database, site, tell):
    tell(report(withdrawal="empty"))
    with clock.shifted(timedelta(hours=1)):
        tell(report("supervisor"))
        tell(report())
        assert (shown(database, site), since(database, site)) == ((Service.IN_SERVICE, Withdrawal.OK), None)


def test_after_a_silence_since_goes_on_only_if_the_agent_has_watched(database, site, tell, link):
    began = clock.now()
    tell(report(since=round(began.timestamp() * 1000)))
    first = since(database, site)
    with clock.shifted(timedelta(minutes=5)):
        link(Link.OFFLINE)
        tell(report(since=round(began.timestamp() * 1000)))
        link(Link.READY)
        assert since(database, site) == first
        link(Link.OFFLINE)
        tell(report(since=round(clock.now().timestamp() * 1000)))
        link(Link.READY)
        later = since(database, site)
    assert later > first


def test_the_public_view_has_no_field_for_levels_or_times_of_filling(database, site, tell):
    tell(report("supervisor", reason="exchange"))
    with database.reading() as session:
        view = queries.machines(session, site.id)[0]
    assert set(vars(view)) == {"public_id", "bank", "place", "fee_note", "service", "withdrawal", "since"}
    assert "exchange" not in repr(view)


def test_operators_see_the_cassettes(database, site, tell, machine):
    tell(report())
    with database.reading() as session:
        view = queries.for_operator(session, site.id, machine.public_id)
    assert [(unit.id, unit.replenishment) for unit in view.report.units] == [("1", "low")]


def test_availability_adds_up_the_history(database, machine):
    now = clock.now()
    with database.transaction() as session:
        for days, state in ((20, Service.IN_SERVICE), (5, Service.OUT_OF_SERVICE), (2, Service.UNKNOWN)):
            session.add(CashMachineChange(machine_id=machine.id, at=now - timedelta(days=days), service=state))
    with database.reading() as session:
        assert queries.availability(session, machine.id, 10) == queries.Availability(
            in_service=500, out_of_service=300, maintenance=0, unknown=200
        )


def test_a_young_machine_s_availability_counts_from_its_first_report(database, machine, tell):
    with clock.shifted(-timedelta(hours=1)):
        tell(report())
    with database.reading() as session:
        assert queries.availability(session, machine.id, 30) == queries.Availability(
            in_service=1000, out_of_service=0, maintenance=0, unknown=0
        )


def history(database, machine, *changes):
    with database.transaction() as session:
        for text, state, reason in changes:
            at = datetime.fromisoformat(text).replace(tzinfo=BERLIN)
            session.add(CashMachineChange(machine_id=machine.id, at=at, service=state, reason=reason))


def test_availability_by_month_is_counted_in_local_months(database, machine):
    history(
        database,
        machine,
        ("2026-05-22T00:00", Service.IN_SERVICE, ""),
        ("2026-05-29T00:00", Service.OUT_OF_SERVICE, "paper jam"),
        ("2026-06-04T00:00", Service.IN_SERVICE, ""),
        ("2026-06-10T00:00", Service.MAINTENANCE, ""),
        ("2026-06-11T00:00", Service.IN_SERVICE, ""),
    )
    now = datetime(2026, 7, 2, 12, tzinfo=BERLIN)
    with clock.shifted(now - clock.now()), database.reading() as session:
        july, june, may, april = queries.months(session, machine.id, "Europe/Berlin", 4)
    assert (july.first, july.share.in_service, july.outages) == (date(2026, 7, 1), 1000, 0)
    assert june.share == queries.Availability(in_service=867, out_of_service=100, maintenance=33, unknown=0)
    assert may.share == queries.Availability(in_service=700, out_of_service=300, maintenance=0, unknown=0)
    assert (june.outages, may.outages, april.share) == (0, 1, None)


def test_outages_are_listed_newest_first_and_maintenance_is_none(database, machine):
    history(
        database,
        machine,
        ("2026-05-01T08:00", Service.IN_SERVICE, ""),
        ("2026-05-02T08:00", Service.OUT_OF_SERVICE, "paper jam"),
        ("2026-05-02T09:00", Service.OUT_OF_SERVICE, "part ordered"),
        ("2026-05-03T08:00", Service.UNKNOWN, ""),
        ("2026-05-03T09:00", Service.MAINTENANCE, ""),
        ("2026-05-03T10:00", Service.IN_SERVICE, ""),
        ("2026-05-09T10:00", Service.UNKNOWN, ""),
    )
    with database.reading() as session:
        found = queries.outages(session, machine.id)
        assert queries.outages(session, machine.id, limit=1) == found[:1]
    assert [(outage.service, outage.reason, outage.ended_at is None) for outage in found] == [
        (Service.UNKNOWN, "", True),
        (Service.UNKNOWN, "", False),
        (Service.OUT_OF_SERVICE, "paper jam", False),
    ]
    assert [outage.ended_at - outage.began_at for outage in found[1:]] == [timedelta(hours=1), timedelta(days=1)]


def test_an_entry_by_hand_holds_for_its_time_and_is_audited(database, site, machine, link):
    link(Link.OFFLINE)
    seen = service.ManualReport(service="inService", withdrawal="ok", reason="", valid_s=3600)
    with database.transaction() as session:
        service.enter_by_hand(session, session.get(CashMachine, machine.id), seen, actor="operator:1")
    assert shown(database, site) == (Service.IN_SERVICE, Withdrawal.OK)
    with clock.shifted(timedelta(seconds=3601)):
        assert shown(database, site) == (Service.UNKNOWN, None)


def test_an_entry_by_hand_is_refused_while_the_machine_reports(database, site, machine, tell):
    tell(report())
    seen = service.ManualReport(service="outOfService", withdrawal="unknown", reason="", valid_s=3600)
    with pytest.raises(MachineWatchedError), database.transaction() as session:
        service.enter_by_hand(session, session.get(CashMachine, machine.id), seen, actor="operator:1")
    assert shown(database, site) == (Service.IN_SERVICE, Withdrawal.OK)


@pytest.mark.usefixtures("machine")
def test_reports_of_an_unbound_device_change_nothing(database, site, dispatcher):
    with database.transaction() as session:
        stranger = Device(site_id=site.id, slug="other", kind=DeviceKind.ATM, name="other", link=Link.READY)
        session.add(stranger)
        session.flush()
        dispatcher.property(session, stranger, "atm", "status", report())
        dispatcher.link(session, stranger)
        assert session.scalars(select(CashMachineChange)).all() == []
    assert shown(database, site) == (Service.UNKNOWN, None)
