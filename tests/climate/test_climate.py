"""Fridges: readings kept thinly, alarms that matter, silence that is not mistaken for cold."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from shop_hub.climate import chart, export, jobs, listeners, queries, service
from shop_hub.climate.errors import NoteMissingError, WrongLimitsError
from shop_hub.climate.models import ClimateAlarm, ClimateReading, Probe, Side
from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.errors import NotFoundError
from shop_hub.core.ids import uuid7
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind, Link
from tests import machines

MINUTE = timedelta(minutes=1)


@pytest.fixture
def dispatcher():
    made = Dispatcher()
    listeners.register(made)
    return made


@pytest.fixture
def probe(database, site):
    with database.transaction() as session:
        device = machines.connect_device(
            session, site.id, DeviceKind.THERMOMETER, "kuehlregal", description={"interval_ms": 60_000}
        )
        new = service.NewProbe(
            name="Kühlregal", device_id=device.id, min_milli=1000, max_milli=7000, alarm_after_s=1200
        )
        return service.add_probe(session, site.id, new)


@pytest.fixture
def measure(database, dispatcher, probe):
    """Let the probe tell temperatures, one a minute, from a minute on."""

    def tell(first_minute, *temperatures):
        for offset, milli in enumerate(temperatures):
            with clock.shifted((first_minute + offset) * MINUTE), database.transaction() as session:
                device = session.get(Device, probe.device_id)
                machines.set_property(session, dispatcher, device, "probe/temperature", milli)

    return tell


@pytest.fixture
def tell_event(database, dispatcher, probe):
    def tell(word, milli, *, ago):
        with database.transaction() as session:
            device = session.get(Device, probe.device_id)
            event = machines.send_event(session, Dispatcher(), device, "probe", word, temperature=milli)
            event.happened_at = clock.now() - ago
            dispatcher.event(session, event, device)

    return tell


def alarms(database, probe):
    with database.reading() as session:
        return [(alarm.side, alarm.worst_milli, alarm.ended_at is None) for alarm in queries.alarms(session, probe.id)]


def shown(database, site):
    with database.reading() as session:
        return queries.probes(session, site.id)[0]


def test_one_reading_in_five_minutes_is_kept(database, measure):
    measure(0, *([4600] * 12))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ClimateReading)) == 3


def test_the_last_reading_is_shown_at_once(database, site, measure):
    measure(0, 4600, 4700)
    with clock.shifted(MINUTE):
        assert shown(database, site).milli == 4700


def test_an_open_door_is_no_alarm(database, probe, measure):
    measure(0, 4600, *([9000] * 19), 4600)
    assert alarms(database, probe) == []


def test_too_warm_for_too_long_is_an_alarm_until_it_is_cold_again(database, probe, measure):
    measure(0, *([9000] * 21))
    assert alarms(database, probe) == [(Side.TOO_WARM, 9000, True)]
    measure(21, 11_000, 8000, 4600)
    assert alarms(database, probe) == [(Side.TOO_WARM, 11_000, False)]


def test_an_alarm_counts_from_when_it_went_out_of_its_limits(database, probe, measure):
    began = clock.now()
    measure(0, *([9000] * 21), 4600)
    with database.reading() as session:
        (alarm,) = queries.alarms(session, probe.id)
    assert abs(alarm.began_at - began) < MINUTE
    assert abs(alarm.ended_at - began - 21 * MINUTE) < MINUTE


def test_too_cold_is_an_alarm_too(database, probe, measure):
    measure(0, *([-500] * 20), -2000)
    assert alarms(database, probe) == [(Side.TOO_COLD, -2000, True)]


def test_the_readings_of_an_alarm_s_ends_are_always_kept(database, measure):
    measure(0, *([9000] * 21), 4600)
    with database.reading() as session:
        kept = session.scalars(select(ClimateReading.milli).order_by(ClimateReading.id)).all()
    assert kept == [9000] * 5 + [4600]


def test_what_passed_while_the_hub_was_away_is_recorded(database, probe, tell_event):
    tell_event("limit-exceeded", 12_000, ago=timedelta(hours=5))
    tell_event("back-to-normal", 6900, ago=timedelta(hours=1))
    assert alarms(database, probe) == [(Side.TOO_WARM, 12_000, False)]
    with database.reading() as session:
        (alarm,) = queries.alarms(session, probe.id)
        assert alarm.ended_at - alarm.began_at == pytest.approx(timedelta(hours=4), abs=MINUTE)


def test_a_short_excursion_told_by_the_device_is_no_alarm(database, probe, tell_event):
    tell_event("limit-exceeded", 8000, ago=timedelta(minutes=9))
    tell_event("back-to-normal", 6000, ago=timedelta(minutes=1))
    assert alarms(database, probe) == []


@pytest.mark.parametrize("value", [None, "4", 4.5, True, {}, 10**9, -(10**9)])
def test_what_is_no_temperature_is_left_out(database, probe, measure, value):
    measure(0, value)
    with database.reading() as session:
        assert session.get(Probe, probe.id).last_milli is None


def test_a_silent_probe_is_unknown_not_cold(database, site, measure):
    measure(0, 4600)
    with clock.shifted(3 * MINUTE):
        assert shown(database, site).milli == 4600
    with clock.shifted(4 * MINUTE):
        view = shown(database, site)
        assert (view.milli, view.last_milli) == (None, 4600)


def test_a_probe_that_is_away_is_unknown_at_once(database, site, probe, measure):
    measure(0, 4600)
    with database.transaction() as session:
        session.get(Device, probe.device_id).link = Link.OFFLINE
    assert shown(database, site).milli is None


def test_only_one_alarm_of_a_probe_is_open(database, probe):
    from sqlalchemy.exc import IntegrityError

    now = clock.now()
    with pytest.raises(IntegrityError), database.transaction() as session:
        for _ in range(2):
            session.add(ClimateAlarm(probe_id=probe.id, side=Side.TOO_WARM, began_at=now, worst_milli=9000))


def test_an_alarm_is_noted_with_what_became_of_the_goods(database, site, probe, measure):
    measure(0, *([9000] * 21))
    with database.reading() as session:
        (alarm,) = queries.alarms(session, probe.id)
    with pytest.raises(NoteMissingError), database.transaction() as session:
        service.note_alarm(session, site.id, alarm.public_id, " ", actor="operator:1")
    with pytest.raises(NotFoundError), database.transaction() as session:
        service.note_alarm(session, site.id, uuid7(), "Milch entsorgt", actor="operator:1")
    with database.transaction() as session:
        service.note_alarm(session, site.id, alarm.public_id, "Milch entsorgt", actor="operator:1")
    with database.reading() as session:
        noted = queries.alarms(session, probe.id)[0]
        assert (noted.note, noted.noted_by) == ("Milch entsorgt", "operator:1")
        assert session.scalars(select(AuditEntry.action)).all() == ["climate-alarm-noted"]


@pytest.mark.parametrize("limits", [(7000, 7000), (7000, 1000), (-200_000, 0), (0, 200_000)])
def test_limits_must_be_a_range(database, probe, limits):
    with pytest.raises(WrongLimitsError), database.transaction() as session:
        service.change_limits(session, session.get(Probe, probe.id), limits, 60, actor="operator:1")


def test_changed_limits_hold_at_once_and_are_audited(database, probe, measure):
    with database.transaction() as session:
        service.change_limits(session, session.get(Probe, probe.id), (0, 3000), 0, actor="operator:1")
    measure(0, 4600)
    assert alarms(database, probe) == [(Side.TOO_WARM, 4600, True)]


def test_readings_older_than_two_years_are_forgotten(database, probe):
    with database.transaction() as session:
        for days in (731, 729):
            session.add(ClimateReading(probe_id=probe.id, at=clock.now() - timedelta(days=days), milli=1))
        session.flush()
        jobs.forget_old(session)
        assert session.scalar(select(func.count()).select_from(ClimateReading)) == 1


@pytest.mark.parametrize(
    ("milli", "text"), [(-18_500, "-18,5"), (4649, "4,6"), (4650, "4,7"), (-49, "0,0"), (-50, "-0,1"), (0, "0,0")]
)
def test_degrees_are_rounded_for_people(milli, text):
    assert export.celsius(milli) == text


@pytest.mark.parametrize("name", ["=1+1", "+49", "-x", "@x", "\tx", "\rx"])
def test_no_spreadsheet_takes_a_name_for_a_formula(name):
    reading = ClimateReading(at=datetime(2026, 7, 1, 10, tzinfo=UTC), milli=-500)
    record = SimpleNamespace(probe=SimpleNamespace(name=name), readings=[reading], gaps=[])
    lines = export.to_csv(record, "Europe/Berlin").split("\r\n")
    assert lines[0] == "probe;time;celsius;silent_until"
    assert lines[1].lstrip('"').startswith("'")
    assert lines[1].endswith(";2026-07-01 12:00:00+0200;-0,5;")


def readings(*minutes, milli=4600):
    start = datetime(2026, 7, 1, tzinfo=UTC)
    return [ClimateReading(id=n, at=start + n * MINUTE, milli=milli) for n in minutes]


def test_the_chart_draws_no_line_over_a_silence():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    drawn = chart.draw(readings(0, 5, 10, 60, 65), (1000, 7000), start, start + timedelta(hours=2))
    assert len(drawn.paths) == 2
    assert drawn.paths[0].count("L") == 2


def test_a_month_s_chart_draws_no_line_over_half_an_hour_of_silence():
    many = [reading for reading in readings(*range(0, 43_200, 5)) if not 6000 < reading.id < 6030]
    start = many[0].at
    assert len(chart.draw(many, (1000, 7000), start, start + timedelta(days=30)).paths) == 2


def test_a_reading_that_stands_alone_is_a_dot():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    (path,) = chart.draw(readings(30), (1000, 7000), start, start + timedelta(hours=2)).paths
    first, second = path[1:].split(" L")
    assert first == second


def test_silences_are_listed_from_the_first_to_the_last_moment():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    found = chart.gaps(readings(20, 25, 60), start, start + timedelta(hours=2))
    minutes = [tuple((end - start) // MINUTE for end in gap) for gap in found]
    assert minutes == [(0, 20), (25, 60), (60, 120)]
    assert chart.gaps([], start, start + timedelta(hours=2)) == [(start, start + timedelta(hours=2))]


def test_the_chart_keeps_a_short_excursion_of_a_long_time():
    many = readings(*range(0, 43_200, 5))
    many[4000].milli = 30_000
    start = many[0].at
    drawn = chart.draw(many, (1000, 7000), start, start + timedelta(days=30))
    ys = [float(point.split(" ")[1]) for path in drawn.paths for point in path[1:].split(" L")]
    assert len(ys) < 1000
    assert min(ys) < drawn.band_top


def test_an_empty_chart_still_shows_the_limits():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    drawn = chart.draw([], (-26_000, -18_000), start, start + timedelta(hours=24))
    assert drawn.paths == ()
    assert chart.TOP <= drawn.band_top < drawn.band_bottom <= chart.HEIGHT
