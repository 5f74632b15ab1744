"""What the features say is the matter, and old alarms."""

from datetime import timedelta

import pytest
from flask_babel import force_locale
from sqlalchemy import func, select

from shop_hub import features
from shop_hub.alarms import health, queries, service, wiring, words
from shop_hub.alarms.models import Alarm
from shop_hub.core import clock, outbox
from shop_hub.core.outbox import OutboxMessage
from shop_hub.fleet.models import Device, DeviceHealth, DeviceKind, Link
from tests.alarms.watchman import MINUTE
from tests.machines import connect_device


def test_old_alarms_are_forgotten_after_a_year(village):
    village.tell()
    village.begin("Kühlregal")
    village.look()
    village.end("Kühlregal")
    village.look(5)
    with clock.shifted(timedelta(days=364)), village.database.transaction() as session:
        service.forget_old(session)
        assert session.scalar(select(func.count()).select_from(Alarm)) == 1
    with clock.shifted(timedelta(days=366)), village.database.transaction() as session:
        service.forget_old(session)
        assert session.scalar(select(func.count()).select_from(Alarm)) == 0


def test_features_say_what_is_the_matter(village):
    assert {module.__name__.split(".")[1] for module in features.load("alarms")} >= {"climate", "entrance", "fleet"}
    with village.database.transaction() as session:
        device = connect_device(session, village.site.id, DeviceKind.PRINTER, "drucker")
        device.link, device.link_at = Link.OFFLINE, clock.now()
    for minutes, expected in ((2, []), (4, ["drucker is not connected"])):
        with clock.shifted(minutes * MINUTE), village.database.transaction() as session:
            service.look(session, wiring.sources)
            alarms = queries.open_alarms(session, village.site.id)
            assert [alarm.text % alarm.params for alarm in alarms] == expected


def test_a_device_s_health_counts_losses_and_shares(village):
    now = clock.now()
    with village.database.transaction() as session:
        device = connect_device(session, village.site.id, DeviceKind.PRINTER, "drucker")
        never = connect_device(session, village.site.id, DeviceKind.DOOR, "tuer")
        changes = [(-4, Link.READY), (-3, Link.SILENT), (-2.5, Link.OFFLINE), (-2, Link.BEHIND), (-2, Link.READY)]
        for days, link in changes:
            at = now + timedelta(days=days)
            session.add(DeviceHealth(site_id=village.site.id, device_id=device.id, link=link, at=at))
        assert isinstance(never, Device)
    with village.database.reading() as session:
        printer, door = health.of_site(session, village.site.id)
    assert (printer.connected, printer.losses, printer.longest_loss) == ((1000, 750, 750), 1, timedelta(days=1))
    assert (door.connected, door.losses, door.last_lost_at) == ((None, None, None), 0, None)


@pytest.mark.parametrize(
    ("language", "text"), [("de", "Truhe ist zu warm: -9,5 °C"), ("en", "Truhe is too warm: -9.5 °C")]
)
def test_temperatures_are_written_as_the_reader_writes_them(app, language, text):
    alarm = Alarm(text="%(name)s is too warm: %(worst_milli)s °C", params={"name": "Truhe", "worst_milli": -9500})
    with app.app_context(), force_locale(language):
        assert words.sentence(alarm) == text


def test_messages_that_do_not_get_out_are_an_alarm_of_their_own(village):
    with village.database.transaction() as session:
        outbox.enqueue(session, "mail", "a", {}, site_id=village.site.id)
    for minutes, expected in ((29, []), (31, ["Messages that could not be sent: 1"])):
        with clock.shifted(minutes * MINUTE), village.database.transaction() as session:
            service.look(session, wiring.sources)
            assert [a.text % a.params for a in queries.open_alarms(session, village.site.id)] == expected
    outbox.send_due(village.database, {"mail": lambda _payload: None})
    with clock.shifted(40 * MINUTE), village.database.transaction() as session:
        service.look(session, wiring.sources)
        assert queries.open_alarms(session, village.site.id) == []


def test_outbox_payloads_hold_no_address(village):
    village.tell()
    village.begin("Kühlregal")
    with village.database.transaction() as session:
        service.look(session, [lambda _session, _site_id: list(village.holding.values())])
        (message,) = session.scalars(select(OutboxMessage)).all()
    assert "example.org" not in str(message.payload)
