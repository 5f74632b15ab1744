"""Telling recipients: a mail through a folder, a slip through the printer, reminders, and forgetting names."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import select

from shop_hub.app import create_app
from shop_hub.core import clock, outbox
from shop_hub.core.outbox import OutboxMessage
from shop_hub.core.settings import Mail, Settings
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, DeviceKind, Link
from shop_hub.parcels import credentials, jobs, listeners, mails
from shop_hub.parcels import service as parcels
from shop_hub.parcels.models import Parcel, ParcelEvent, ParcelState
from tests.parcels.village import LABELS, Village


@pytest.fixture
def hub(village: Village, tmp_path: Path) -> ShopHub:
    return create_app(Settings(data=tmp_path, mail=Mail(folder=str(tmp_path / "mail"))), village.database)


def send(hub: ShopHub) -> int:
    return outbox.send_due(hub.database, mails.handlers(hub))


def texts(tmp_path: Path) -> list[str]:
    found = []
    for path in sorted((tmp_path / "mail").glob("*.eml")):
        body = message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",))
        found.append(body.get_content())
    return found


def code_in(text: str) -> str:
    return re.findall(r"\b(\d{4} \d{4})\b", text)[0]


def add_printer(village: Village) -> None:
    with village.database.transaction() as session:
        session.add(
            Device(
                site_id=village.site.id,
                slug="drucker",
                kind=DeviceKind.PRINTER,
                name="Drucker",
                link=Link.READY,
                link_at=clock.now(),
            )
        )


def test_the_mail_brings_a_code_that_opens_the_door(village: Village, hub: ShopHub, tmp_path: Path) -> None:
    parcel_id = village.bring()
    assert send(hub) == 1
    [text] = texts(tmp_path)
    assert text.startswith("Guten Tag, Ute Wegener,")
    with village.database.transaction() as session:
        found = credentials.by_code(session, hub.hasher, village.site.id, code_in(text), pad="kiosk:1")
        assert found.id == parcel_id
        assert code_in(text).replace(" ", "") not in str(session.scalars(select(OutboxMessage.payload)).all())
    assert village.parcel(parcel_id).told_at is not None
    assert send(hub) == 0


def test_a_parcel_taken_out_again_takes_its_mail_back(village: Village, hub: ShopHub, tmp_path: Path) -> None:
    parcel_id = village.bring()
    send(hub)
    code = code_in(texts(tmp_path)[0])
    with village.database.transaction() as session:
        parcel = session.get_one(Parcel, parcel_id)
        from shop_hub.parcels.models import CourierSession

        at_work = session.get_one(CourierSession, parcel.session_id)
        parcels.undo_deposit(session, at_work, parcel, parcels.Reason.CHANGED_MIND, has_pin=True)
    village.use_door(parcel_id, occupied=False)
    send(hub)
    assert "wieder mitgenommen" in texts(tmp_path)[1]
    with village.database.transaction() as session, pytest.raises(Exception, match="wrong-code"):
        credentials.by_code(session, hub.hasher, village.site.id, code, pad="kiosk:1")


def test_who_has_no_mail_gets_a_slip_whose_code_is_kept_nowhere(village: Village, hub: ShopHub) -> None:
    add_printer(village)
    parcel_id = village.bring(person_id=village.neighbour_id)
    send(hub)
    command = village.commands()[-1]
    assert (command.op, command.args["document"]["title"]) == ("print", "Ihr Paket ist da")
    code = code_in("\n".join(command.args["document"]["lines"]))
    listeners.register(village.dispatcher)
    village.verdict(command.id, CommandState.DONE)
    with village.database.transaction() as session:
        assert session.get_one(DeviceCommand, command.id).args == {}
        assert credentials.by_code(session, hub.hasher, village.site.id, code, pad="kiosk:1").id == parcel_id
    assert village.parcel(parcel_id).told_at is not None


def test_a_slip_is_not_printed_hours_later(village: Village, hub: ShopHub) -> None:
    add_printer(village)
    village.bring(person_id=village.neighbour_id)
    before = len(village.commands())
    with clock.shifted(timedelta(hours=2)):
        send(hub)
    assert len(village.commands()) == before


def test_each_reminder_once_by_day_and_the_first_code_stays_good(
    village: Village, hub: ShopHub, tmp_path: Path
) -> None:
    parcel_id = village.bring()
    send(hub)
    code = code_in(texts(tmp_path)[0])
    expires_at = village.parcel(parcel_id).expires_at
    assert expires_at is not None
    for hours in (20, 14, 12, 10):  # the last day, from 4 in the morning on
        with clock.shifted(expires_at - timedelta(hours=hours) - clock.now()):
            with village.database.transaction() as session:
                jobs.remind(session)
            send(hub)
    assert len(texts(tmp_path)) == 2
    assert "wartet noch" in texts(tmp_path)[1]
    with village.database.transaction() as session:
        assert credentials.by_code(session, hub.hasher, village.site.id, code, pad="kiosk:1").id == parcel_id


def test_names_and_number_are_forgotten_and_the_story_stays(village: Village, hub: ShopHub) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    with village.database.reading() as session:
        story = len(session.scalars(select(ParcelEvent)).all())
    for days, is_gone in ((6, False), (8, True)):
        with clock.shifted(timedelta(days=days)), village.database.transaction() as session:
            jobs.forget_names(session, hub.hasher)
        parcel = village.parcel(parcel_id)
        assert (parcel.number != LABELS[0], parcel.recipient_name == "", parcel.person_id is None) == (is_gone,) * 3
    with village.database.reading() as session:
        assert len(session.scalars(select(ParcelEvent)).all()) == story
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED
