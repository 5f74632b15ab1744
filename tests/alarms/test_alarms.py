"""Alarms: told once, to the right people, at the right time, until somebody looks after them."""

import pytest
from sqlalchemy import func, select

from shop_hub.alarms import contacts, sending, service
from shop_hub.alarms.errors import BadQuietHoursError, NotYourContactError
from shop_hub.alarms.mails import handlers
from shop_hub.alarms.models import Alarm, AlarmNotice, Way
from shop_hub.core import outbox
from shop_hub.core.audit import AuditEntry
from shop_hub.core.conditions import Severity
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.ids import uuid7
from shop_hub.people import staff


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
