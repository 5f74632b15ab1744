"""Alarms: told once, to the right people, at the right time, until somebody looks after them."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path

import pytest
from flask_babel import force_locale
from sqlalchemy import func, select

from shop_hub import features
from shop_hub.alarms import contacts, health, queries, sending, service, wiring, words
from shop_hub.alarms.contacts import NewContact
from shop_hub.alarms.errors import BadQuietHoursError, NotYourContactError
from shop_hub.alarms.mails import handlers
from shop_hub.alarms.models import Alarm, AlarmContact, AlarmNotice, Way
from shop_hub.core import clock, outbox
from shop_hub.core.access import Role
from shop_hub.core.audit import AuditEntry
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.ids import uuid7
from shop_hub.core.outbox import OutboxMessage
from shop_hub.core.settings import Mail, Settings
from shop_hub.fleet.models import Device, DeviceHealth, DeviceKind, Link
from shop_hub.people import staff
from tests.machines import connect_device

MINUTE = timedelta(minutes=1)


class Watchman:
    """A village where the test says what is the matter; mails land in a folder."""

    def __init__(self, hub, database, site, folder):
        self.hub, self.database, self.site, self.folder = hub, database, site, folder
        self.holding = {}
        with database.transaction() as session:
            operator = staff.create_operator(session, staff.NewOperator(user_name="ines"))
            staff.set_role(session, operator.id, site.id, Role.OPERATOR, actor="system")
            self.operator_id = operator.id

    def tell(self, **more):
        fields = {"name": "Ines", "address": "ines@example.org"} | more
        with self.database.transaction() as session:
            new = NewContact(**fields)
            return contacts.add(session, self.site.id, self.operator_id, new, actor="operator:1")

    def begin(self, key, severity=Severity.WARNING):
        self.holding[key] = Condition(
            key=key, severity=severity, text="%(name)s broke", params={"name": key}, since=NOON
        )

    def end(self, key):
        del self.holding[key]

    def look(self, minutes=0):
        """Look, and look again once what is gone has been gone for long enough."""
        with ExitStack() as stack:
            stack.enter_context(clock.shifted(minutes * MINUTE))
            for _ in range(2):
                with self.database.transaction() as session:
                    service.look(session, [lambda _session, _site_id: list(self.holding.values())])
            outbox.send_due(self.database, handlers(self.hub))

    def mails(self):
        return sorted((read(path) for path in self.folder.glob("*.eml")), key=lambda mail: mail["Subject"])

    def subjects(self):
        return [mail["Subject"] for mail in self.mails()]

    def open(self):
        with self.database.reading() as session:
            return queries.open_alarms(session, self.site.id)

    def acknowledge(self, note=""):
        with self.database.transaction() as session:
            service.acknowledge(session, self.site.id, self.open()[0].public_id, note, actor="operator:1")


def read(path):
    return message_from_bytes(path.read_bytes(), policy=policy)


NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)
"""Noon at the shop."""


@pytest.fixture
def app(database, tmp_path):
    from shop_hub.app import create_app

    mail = Mail(folder=str(tmp_path / "mails"))
    return create_app(Settings(data=tmp_path / "data", production=False, mail=mail), database)


@pytest.fixture
def village(app, database, site, tmp_path):
    with clock.shifted(NOON - clock.now()):
        yield Watchman(app, database, site, Path(tmp_path / "mails"))


def test_an_alarm_is_told_once_however_often_it_is_looked_at(village):
    village.tell()
    village.begin("Kühlregal")
    for minutes in range(5):
        village.look(minutes)
    (mail,) = village.mails()
    assert mail["To"] == "ines@example.org"
    assert mail["Subject"] == "Dorfladen Lindenau: Kühlregal broke"
    assert "Seit 01.07.2026 12:00." in mail.get_content()
    assert mail["Message-ID"].startswith("<alarm.began.")


def test_the_end_is_told_to_those_who_were_told_of_the_beginning(village):
    village.tell()
    village.tell(address="spaet@example.org", after_minutes=30)
    village.begin("Kühlregal")
    village.look()
    village.end("Kühlregal")
    village.look(1)
    assert len(village.open()) == 1
    village.look(3)
    assert village.open() == []
    assert [(mail["To"], mail["Subject"].split(": ")[1]) for mail in village.mails()] == [
        ("ines@example.org", "Kühlregal broke"),
        ("ines@example.org", "vorbei"),
    ]


def test_what_comes_and_goes_is_one_alarm_and_one_message(village):
    village.tell()
    for minutes in (0, 10, 20):
        village.begin("Tür")
        village.look(minutes)
        village.end("Tür")
        village.look(minutes + 4)
    with village.database.reading() as session:
        (alarm,) = session.scalars(select(Alarm)).all()
    assert alarm.returns == 2
    assert len(village.mails()) == 2


def test_what_comes_back_and_stays_is_told_again_and_so_is_its_end(village):
    village.tell()
    village.begin("Kühlregal")
    village.look()
    village.end("Kühlregal")
    village.look(3)
    village.begin("Kühlregal")
    for minutes in (10, 19):
        village.look(minutes)
        assert len(village.mails()) == 2
    for minutes in (20, 60):
        village.look(minutes)
        assert [subject.split(": ")[1] for subject in village.subjects()] == ["Kühlregal broke"] * 2 + ["vorbei"]
    village.end("Kühlregal")
    village.look(90)
    assert len(village.mails()) == 4
    with village.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Alarm)) == 1


def test_what_comes_back_is_looked_after_by_nobody_and_goes_to_the_next_one(village):
    village.tell()
    village.tell(address="chef@example.org", after_minutes=15)
    village.begin("Kühlregal")
    village.look()
    village.acknowledge("Fahre hin")
    village.end("Kühlregal")
    village.look(3)
    village.begin("Kühlregal")
    village.look(10)
    (alarm,) = village.open()
    assert (alarm.acknowledged_at, alarm.acknowledged_by, alarm.note) == (None, "", "")
    village.look(24)
    assert "chef@example.org" not in {mail["To"] for mail in village.mails()}
    village.look(25)
    assert [mail["To"] for mail in village.mails()].count("chef@example.org") == 1


def test_the_same_again_after_a_long_time_is_a_new_alarm(village):
    village.tell()
    for minutes in (0, 60):
        village.begin("Tür")
        village.look(minutes)
        village.end("Tür")
        village.look(minutes + 4)
    assert len(village.mails()) == 4


def test_many_alarms_at_once_are_one_message(village):
    village.tell()
    for number in range(30):
        village.begin(f"Gerät {number}")
    village.look()
    (mail,) = village.mails()
    assert mail["Subject"] == "Dorfladen Lindenau: 30 Meldungen"
    assert "Gerät 29 broke." in mail.get_content()


def test_nobody_is_told_of_what_matters_too_little_to_them(village):
    village.tell(least=Severity.CRITICAL)
    village.begin("Drucker")
    village.look()
    assert village.mails() == []
    village.begin("Drucker", Severity.CRITICAL)
    village.look(1)
    assert len(village.mails()) == 1


def test_the_next_one_is_told_only_if_nobody_looks_after_it(village):
    village.tell(address="chef@example.org", after_minutes=15)
    village.begin("Kühlregal")
    village.look()
    village.look(14)
    assert village.mails() == []
    village.look(15)
    assert [mail["To"] for mail in village.mails()] == ["chef@example.org"]


def test_looking_after_it_stops_the_escalation_and_is_kept(village):
    village.tell()
    village.tell(address="chef@example.org", after_minutes=15)
    village.begin("Kühlregal")
    village.look()
    village.acknowledge("Fahre hin")
    village.acknowledge("zu spät")
    village.look(20)
    assert [mail["To"] for mail in village.mails()] == ["ines@example.org"]
    (alarm,) = village.open()
    assert (alarm.acknowledged_by, alarm.note) == ("operator:1", "Fahre hin")
    with village.database.reading() as session:
        assert "alarm-acknowledged" in session.scalars(select(AuditEntry.action)).all()
    with pytest.raises(NotFoundError), village.database.transaction() as session:
        service.acknowledge(session, village.site.id, uuid7(), "", actor="operator:1")


def test_quiet_hours_keep_messages_back_but_not_what_is_critical(village):
    village.tell(quiet=(11 * 60, 13 * 60), is_woken=True)
    village.begin("Drucker")
    village.begin("Gefriertruhe", Severity.CRITICAL)
    village.look()
    assert village.subjects() == ["Dorfladen Lindenau: Gefriertruhe broke"]
    village.look(61)
    assert village.subjects() == ["Dorfladen Lindenau: Drucker broke", "Dorfladen Lindenau: Gefriertruhe broke"]


def test_who_must_sleep_is_told_in_the_morning(village):
    village.tell(quiet=(11 * 60, 13 * 60), is_woken=False)
    village.begin("Gefriertruhe", Severity.CRITICAL)
    village.look(59)
    assert village.mails() == []
    village.look(60)
    assert len(village.mails()) == 1


def test_what_was_over_before_the_quiet_hours_ended_is_not_told(village):
    village.tell(quiet=(11 * 60, 13 * 60))
    village.begin("Drucker")
    village.look()
    village.end("Drucker")
    village.look(5)
    village.look(120)
    assert village.mails() == []


@pytest.mark.parametrize(
    ("begin", "end", "hour", "quiet"),
    [
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
        (22, 6, 12, False),
        (12, 14, 12, True),
        (12, 14, 14, False),
    ],
)
def test_quiet_hours_may_span_midnight(begin, end, hour, quiet):
    contact = AlarmContact(quiet_from=begin * 60, quiet_to=end * 60)
    assert service.is_quiet(contact, datetime(2026, 7, 1, hour, tzinfo=UTC)) is quiet


def test_a_message_that_failed_is_sent_later_and_not_twice(village):
    village.tell()
    village.folder.mkdir()
    village.folder.chmod(0)
    broken = {service.MESSAGE: fail}
    village.begin("Kühlregal")
    with village.database.transaction() as session:
        service.look(session, [lambda _session, _site_id: list(village.holding.values())])
    outbox.send_due(village.database, broken)
    village.folder.chmod(0o700)
    assert village.mails() == []
    for minutes in (1, 2, 3):
        village.look(minutes)
    assert len(village.mails()) == 1


def fail(_payload):
    raise OSError("no network")


def test_who_is_locked_out_is_told_nothing_any_more(village):
    village.tell()
    with village.database.transaction() as session:
        staff.get_operator(session, village.operator_id).is_blocked = True
    village.begin("Kühlregal")
    village.look()
    assert village.mails() == []


def test_a_removed_contact_is_told_nothing_even_of_what_was_on_its_way(village):
    contact = village.tell()
    village.begin("Kühlregal")
    with village.database.transaction() as session:
        service.look(session, [lambda _session, _site_id: list(village.holding.values())])
    with pytest.raises(NotYourContactError), village.database.transaction() as session:
        contacts.remove(session, village.site.id, contact.public_id, by=village.operator_id + 1, actor="operator:9")
    with village.database.transaction() as session:
        contacts.remove(session, village.site.id, contact.public_id, by=village.operator_id, actor="operator:1")
    village.look()
    assert village.mails() == []
    with village.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AlarmNotice)) == 0


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"name": " "}, BadInputError),
        ({"after_minutes": 1441}, BadInputError),
        ({"quiet": (60, 60)}, BadQuietHoursError),
        ({"quiet": (0, 1440)}, BadQuietHoursError),
    ],
)
def test_a_contact_must_make_sense(village, fields, refusal):
    with pytest.raises(refusal):
        village.tell(**fields)


def test_nobody_waits_for_the_look_at_an_address(village, monkeypatch):
    def slow(_address):
        with village.database.transaction() as other:
            outbox.enqueue(other, "mail", "meanwhile", {}, site_id=village.site.id)
        return Way.SERVICE, "ntfys://ntfy.example.org"

    monkeypatch.setattr(sending, "check", slow)
    assert village.tell(address="ntfys://ntfy.example.org/x").way is Way.SERVICE


def test_a_test_message_shows_that_messages_arrive(village):
    contact = village.tell(language="en")
    with village.database.transaction() as session:
        contacts.test(session, village.site.id, contact.public_id)
    outbox.send_due(village.database, handlers(village.hub))
    assert village.subjects() == ["Dorfladen Lindenau: test"]


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
