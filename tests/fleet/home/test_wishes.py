"""What Home Assistant may wish for, at real brokers."""

import json
import time
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from devices.protocol.bus import Incoming
from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.fleet import wishes
from shop_hub.fleet.models import Device, Link
from tests.fleet.home.side import CONFIG, ENVIRONMENT, WISH, alone, begin
from tests.fleet.kit import (
    PRINTER,
    SITE,
    STATION,
    Scripted,
    eventually,
    register,
)


@pytest.fixture
def printer(idle_village, site):
    """A hub that lets Home Assistant wish, and a printer that prints whatever it is told."""
    register(idle_village.database, site, PRINTER)
    device = Scripted(idle_village.broker, PRINTER)
    begin(idle_village, discovery="on", wishes=True)
    device.start()
    eventually(lambda: links(idle_village).get(PRINTER) is Link.READY)
    yield device
    device.stop()


def links(village) -> dict[str, Link]:
    with village.database.reading() as session:
        return dict(tuple(row) for row in session.execute(select(Device.slug, Device.link)))


def noted(database) -> list[tuple[str, str]]:
    """Return what the audit chain says of wishes: whether they were granted, and why not."""
    with database.reading() as session:
        mine = select(AuditEntry).where(AuditEntry.actor == wishes.ACTOR).order_by(AuditEntry.id)
        return [(entry.action, entry.detail["reason"]) for entry in session.scalars(mine)]


def test_a_test_page_may_be_wished_at_a_button(idle_village, printer, home):
    topic = f"homeassistant/device/{SITE}_{PRINTER}/config"
    eventually(lambda: "test-page" in home.config(topic).get("components", {}), 20)
    button = home.config(topic)["components"]["test-page"]
    assert (button["platform"], button["command_topic"]) == ("button", WISH)
    pressed = ENVIRONMENT.from_string(button["command_template"]).render(now=clock.now)

    home.raw(pressed.encode())

    eventually(lambda: printer.commands)
    assert printer.commands[0][0].args == {"document": {"title": "Test", "lines": [PRINTER]}}
    eventually(lambda: noted(idle_village.database) == [("wish-granted", "")])


def test_a_retained_or_repeated_wish_prints_nothing(idle_village, printer, home):
    eventually(lambda: home.last(f"homeassistant/device/{SITE}_{PRINTER}/config"), 20)
    home.wish(nonce="nonce-one")
    eventually(lambda: len(printer.commands) == 1)

    home.wish(nonce="nonce-one")
    eventually(lambda: len(noted(idle_village.database)) == 2)
    home.wish(nonce="nonce-two", retain=True)
    eventually(lambda: len(noted(idle_village.database)) == 3)  # live, it is one like any other
    idle_village.worker.stop()
    begun = len(printer.commands)
    idle_village.device.stop()
    idle_village.device = Scripted(idle_village.broker, STATION)
    begin(idle_village, discovery="on", wishes=True)

    eventually(lambda: ("wish-refused", "retained") in noted(idle_village.database), 20)
    assert ("wish-refused", "replayed") in noted(idle_village.database)
    assert len(printer.commands) == begun
    home.raw(b"", retain=True)


def test_where_nobody_may_wish_nothing_is_heard(idle_village, home):
    begin(idle_village, discovery="on")
    eventually(lambda: home.last(CONFIG))

    home.wish()
    home.wish(device=STATION, op="open")
    time.sleep(1)

    assert noted(idle_village.database) == []
    assert idle_village.device.commands == []


@dataclass
class Judge:
    """Wishes of one village, without a broker."""

    database: object
    site_id: int
    now_ms: int = 1_800_000_000_000
    judge: wishes.Wishes = field(default_factory=lambda: wishes.Wishes(1_800_000_000_000))
    count: int = 0

    def __call__(self, payload: bytes | None = None, *, retained: bool = False, **changes) -> str:
        self.count += 1
        nonce = f"nonce-number-{self.count}"
        fields = {"v": 1, "nonce": nonce, "at_ms": self.now_ms, "device": PRINTER, "op": "test-page"}
        content = json.dumps({**fields, **changes}).encode() if payload is None else payload
        message = Incoming(WISH, content, 0, retained, duplicate=False, mid=0, connection=1)
        return self.judge.judge(self.database, wishes.Heard(self.site_id, message), self.now_ms)


@pytest.fixture
def judge(database, site, monkeypatch):
    register(database, site, PRINTER)
    register(database, site, STATION)
    monkeypatch.setattr(wishes.service, "request", lambda *_args, **_more: None)
    return Judge(database, site.id)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"op": "open"}, "not_allowed"),
        ({"op": "unlock", "device": "tuer"}, "not_allowed"),
        ({"op": "test-page", "device": STATION}, "not_allowed"),
        ({"op": "print"}, "not_allowed"),
        ({"device": "nobody"}, "not_allowed"),
        ({"at_ms": 1_800_000_000_000 - 1}, "late"),
        ({"at_ms": 1_800_000_000_000 + 10_001}, "late"),
        ({"at_ms": True}, "malformed"),
        ({"nonce": "short"}, "malformed"),
        ({"nonce": "with space in it"}, "malformed"),
        ({"device": "../hub"}, "malformed"),
        ({"v": 2}, "malformed"),
        ({"more": 1}, "malformed"),
        ({"op": "x" * 41}, "malformed"),
    ],
)
def test_what_may_be_wished_and_what_not(judge, changes, reason):
    assert judge(**changes) == reason
    assert noted(judge.database) == [("wish-refused" if reason else "wish-granted", reason)]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{" * 400, b'{"v":1}' + b" " * 600, b"x" * 100_000])
def test_garbage_is_refused(judge, payload):
    assert judge(payload) == "malformed"


def test_a_wish_that_was_kept_or_is_old_or_was_heard_before_is_refused(judge):
    assert judge(retained=True) == "retained"
    assert judge(nonce="nonce-twice") == ""
    assert judge(nonce="nonce-twice") == "replayed"
    sent = judge.now_ms
    judge.now_ms += 10_001
    assert judge(at_ms=sent) == "late"


def test_paper_is_not_wasted_and_the_books_are_not_flooded(judge):
    assert [judge() for _ in range(7)] == [""] * 5 + ["too_many"] * 2
    for _ in range(100):
        judge(b"garbage")
    assert len(noted(judge.database)) == 5 + wishes.MOST_NOTED
    judge.now_ms += 60_000
    assert judge(device="nobody") == "not_allowed"
    assert len(noted(judge.database)) == 5 + wishes.MOST_NOTED
    assert judge() == ""


@pytest.mark.usefixtures("site")
def test_a_flood_of_wishes_never_keeps_the_hub_from_its_lease(database, monkeypatch):
    home, bus = alone(database, discovery="on", wishes=True)
    home.turn()
    judged = []

    def judge_while_more_come(_wishes, _database, heard, _now):
        judged.append(heard)
        if len(judged) < 100:
            bus.handlers[WISH](heard.message)
        return "late"

    monkeypatch.setattr(wishes.Wishes, "judge", judge_while_more_come)
    for _ in range(30):
        bus.handlers[WISH](Incoming(WISH, b"", 0, retained=False, duplicate=False, mid=0, connection=1))
    home.turn()
    assert len(judged) == 5
    home.turn()
    assert len(judged) == 10


def test_a_flood_is_refused_without_the_database(judge, monkeypatch):
    for _ in range(wishes.MOST_NOTED):
        judge(b"garbage")
    for _ in range(wishes.MOST_TRIED):
        judge()
    monkeypatch.setattr(judge.database, "transaction", None)
    assert judge(b"garbage") == "malformed"
    assert judge(retained=True) == "retained"
    assert judge(at_ms=1) == "late"
    assert judge(op="open") == "not_allowed"
    assert judge() == "too_many"


def test_a_flood_of_nonces_is_forgotten_in_time_and_never_lets_one_be_used_twice(judge, monkeypatch):
    monkeypatch.setattr(wishes, "_MOST_NONCES", 3)
    assert [judge(op="none") for _ in range(4)] == ["not_allowed"] * 3 + ["too_many"]
    judge.now_ms += 20_001
    assert judge(op="none") == "not_allowed"
